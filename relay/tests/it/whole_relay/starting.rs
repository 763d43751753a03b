//! What a start refuses.

use relay::running::StartError;
use relay::secret::KeyError;
use relay::store::OpenError;

use crate::app::{Client, Ground};

#[tokio::test]
async fn a_second_relay_on_the_same_data_is_refused_and_the_first_goes_on() {
    let ground = Ground::new(Client::Public).await;
    let first = ground.start().await;
    let second = ground.try_start().await.err().unwrap();
    assert!(
        matches!(second, StartError::Database(OpenError::InUse { .. })),
        "{second}"
    );
    first.app().store.ping().await.unwrap();
    let answer = crate::app::person::operator(&ground)
        .get(first.url("/v1/inboxes"))
        .send()
        .await
        .unwrap();
    assert_eq!(
        answer.status(),
        200,
        "the operator's socket is still the first's"
    );
    first.stop().await;
    ground.start().await.stop().await;
}

#[tokio::test]
async fn a_database_without_its_key_file_is_refused_and_no_new_key_is_made() {
    let ground = Ground::new(Client::Public).await;
    ground.start().await.stop().await;
    let key = ground.path("unpause.key");
    let kept = ground.path("kept.key");
    std::fs::rename(&key, &kept).unwrap();
    let missing = ground.try_start().await.err().unwrap();
    assert!(
        matches!(missing, StartError::Key(KeyError::Missing { .. })),
        "{missing}"
    );
    assert!(!key.exists());
    std::fs::rename(&kept, &key).unwrap();
    ground.start().await.stop().await;
}

#[tokio::test]
async fn a_database_with_the_key_file_of_another_is_refused() {
    let ground = Ground::new(Client::Public).await;
    let other = Ground::new(Client::Public).await;
    ground.start().await.stop().await;
    other.start().await.stop().await;
    std::fs::copy(other.path("unpause.key"), ground.path("unpause.key")).unwrap();
    let wrong = ground.try_start().await.err().unwrap();
    assert!(matches!(wrong, StartError::WrongKey { .. }), "{wrong}");
}
