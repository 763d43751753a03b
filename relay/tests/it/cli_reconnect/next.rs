//! A person who was told that something is lost finds, wherever it is shown, the one command to run next, and afterwards
//! the receipt without knowing its id.

use sandbox::PUBLIC_CLIENT;
use serde_json::Value;

use super::JANE;
use super::browser::Browser;
use super::terminal::{Terminal, World};
use crate::app::wait_for;
use crate::cli::{run, text};

const RECONNECT: &str = "Reconnect jane@acme.example: unpause reconnect start jane@acme.example";

fn shown(world: &World, arguments: &[&str]) -> String {
    let output = run(world.here(), arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

async fn sign_in(world: &World) {
    let mut terminal = Terminal::start(world.here(), &[JANE]);
    let url = terminal.url().await;
    Browser::open().sign_in(url, "allow").await;
    let end = terminal.end().await;
    assert_eq!(end.code, Some(0), "{}", end.stderr);
}

/// A campaign of two messages, an hour apart, with so many leads.
fn make_campaign(world: &World, name: &str, n_leads: usize) -> String {
    let here = world.here();
    let steps = r#"[{"subject":"Hi","body":"x"},{"body":"y","wait_ms":3600000}]"#;
    std::fs::write(here.join("steps.json"), steps).unwrap();
    let leads: Vec<String> = (0..n_leads)
        .map(|n| format!("{n}@{name}.example"))
        .collect();
    let leads = leads.join("\n");
    std::fs::write(here.join("leads.csv"), format!("email\n{leads}\n")).unwrap();
    shown(
        world,
        &[
            "campaign",
            "create",
            "--name",
            name,
            "--inbox",
            JANE,
            "--steps",
            "steps.json",
        ],
    );
    // By its name, as everything from here on.
    let import = shown(world, &["campaign", "import", name, "leads.csv"]);
    assert!(
        import.contains(&format!("{n_leads} leads added")),
        "{import}"
    );
    let list: Value = serde_json::from_str(&shown(world, &["campaign", "list", "--json"])).unwrap();
    let campaigns = list["campaigns"].as_array().unwrap();
    let made = campaigns.iter().find(|one| one["name"] == name).unwrap();
    made["id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_loss_the_terminal_says_what_to_run_next_and_lists_the_receipt() {
    // A loss is confirmed in a moment.
    let quick = "timing.slow_retry_ms = 100\ntiming.poll_ms = 100\n";
    let world = World::start_with(PUBLIC_CLIENT, quick).await;
    let connect = "\nConnect jane@acme.example: unpause reconnect start jane@acme.example";
    for command in [
        &["inbox", "list"][..],
        &["inbox", "show", JANE],
        &["status"],
    ] {
        let told = shown(&world, command);
        assert_eq!(told.matches(connect).count(), 1, "{command:?}: {told}");
    }
    assert!(shown(&world, &["receipts"]).starts_with("There is no receipt"));

    let spring = make_campaign(&world, "spring", 3);
    sign_in(&world).await;
    for command in [
        &["inbox", "list"][..],
        &["inbox", "show", JANE],
        &["status"],
    ] {
        let told = shown(&world, command);
        assert!(!told.contains("reconnect start"), "{command:?}: {told}");
    }
    shown(&world, &["campaign", "start", "Spring"]);

    let paused = shown(&world, &["campaign", "pause", "spring"]);
    let resume = format!("Resume \"spring\": unpause campaign resume {spring}");
    assert!(paused.ends_with(&format!("\n{resume}\n")), "{paused}");
    for command in [
        &["campaign", "show", "spring"][..],
        &["campaign", "list"],
        &["campaign", "why", "spring"],
        &["status"],
    ] {
        let told = shown(&world, command);
        assert_eq!(told.matches(&resume).count(), 1, "{command:?}: {told}");
    }
    let resumed = shown(&world, &["campaign", "resume", "spring"]);
    assert!(!resumed.contains("Resume"), "{resumed}");

    let control = world.sandbox.control();
    control.revoke(JANE).unwrap();
    // Something to be refused with.
    make_campaign(&world, "summer", 2);
    shown(&world, &["campaign", "start", "summer"]);
    wait_for("the loss", async || {
        (world.connection() == "disconnected").then_some(())
    })
    .await;
    for command in [
        &["campaign", "show", "spring"][..],
        &["campaign", "show", "summer"],
        &["campaign", "list"],
        &["campaign", "why", "spring"],
        &["inbox", "list"],
        &["inbox", "show", JANE],
        &["status"],
    ] {
        let told = shown(&world, command);
        assert_eq!(told.matches(RECONNECT).count(), 1, "{command:?}: {told}");
        assert!(!told.contains("campaign resume"), "{command:?}: {told}");
    }
    sign_in(&world).await;

    let listed = shown(&world, &["receipts"]);
    let receipts: Value = serde_json::from_str(&shown(&world, &["receipts", "--json"])).unwrap();
    let receipts = receipts["receipts"].as_array().unwrap();
    // The first sign-in has one too.
    assert_eq!(receipts.len(), 2, "{receipts:?}");
    let (last, first) = (&receipts[0], &receipts[1]);
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 3, "{listed}");
    for (line, receipt) in lines.iter().zip([last, first]) {
        let id = receipt["id"].as_str().unwrap();
        assert!(line.starts_with(id) && line.contains(JANE), "{line}");
        let figures = format!(
            "{} held: {} to send, {} skipped, {} in doubt",
            receipt["held"], receipt["to_send"], receipt["skipped"], receipt["in_doubt"]
        );
        assert!(line.ends_with(&figures), "{line}");
        let resumed = format!("resumed {}", receipt["resumed_at"].as_str().unwrap());
        assert!(line.contains(&resumed), "{line}");
    }
    assert!(lines[0].contains("spring, summer"), "{listed}");
    assert!(lines[1].contains("no campaign"), "{listed}");
    let of_spring = shown(&world, &["receipts", "--campaign", "spring"]);
    assert_eq!(
        of_spring.lines().next(),
        lines.first().copied(),
        "{of_spring}"
    );
    assert_eq!(of_spring.lines().count(), 2, "{of_spring}");
    let behind = shown(
        &world,
        &["receipts", "--after", last["id"].as_str().unwrap()],
    );
    assert!(
        behind.starts_with(first["id"].as_str().unwrap()),
        "{behind}"
    );
}
