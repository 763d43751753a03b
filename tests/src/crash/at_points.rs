//! Kills at chosen points of the wire, where the sandbox holds the relay.

use std::time::Duration;

use anyhow::{Context as _, Result};
use protocol::request::reconnect::ReconnectState;
use rand::RngExt as _;
use sandbox::control::{GrantType, Held, Point, Stage as SmtpStage};
use sandbox::{Control, Sandbox};

use super::{ANSWERS_IN_AN_OUTAGE, HEARD_SHARE, POINT_WITHIN, Run};
use crate::wait::wait_for;

impl Run<'_> {
    /// Kills it at a point of sending, chosen by the seed.
    pub(super) async fn kill_sending_at_point(
        &mut self,
        control: &Control,
    ) -> Result<&'static str> {
        let points = [
            Point::SmtpConnected,
            Point::SmtpAuthenticating,
            Point::SmtpMail,
            // Twice as often as the others: the body is where nobody can know.
            Point::SmtpData,
            Point::SmtpData,
            Point::SmtpDotReceived,
            Point::SmtpStored,
            Point::SmtpReplied,
        ];
        let point = points
            .get(self.rng.random_range(0..points.len()))
            .copied()
            .context("no point")?;
        self.let_some_pass(control).await;
        let held = control.hold(point);
        if matches!(point, Point::SmtpConnected | Point::SmtpAuthenticating) {
            // The relay keeps its connection; the server closes it, and a new one is opened.
            control.next_reply(SmtpStage::Mail, "421 4.3.2 closing for a moment");
        }
        let reached = tokio::time::timeout(POINT_WITHIN, held.reached())
            .await
            .is_ok();
        if reached && point == Point::SmtpReplied {
            // The reply is on its way: its record is made within these microseconds, or just was.
            tokio::time::sleep(Duration::from_micros(self.rng.random_range(0..1_500))).await;
        }
        let n_heard = (reached && self.summary.kills.is_multiple_of(HEARD_SHARE)).then_some(1);
        self.relay.kill()?;
        held.release();
        if let Some(n) = n_heard {
            self.mean_another();
            self.let_some_be_heard_of(control, n)?;
        }
        self.relay.start_again().await?;
        let states = &mut self.summary.kills_by_state;
        let (counter, words) = match point {
            _ if !reached => (&mut states.idle, "while nothing was due"),
            Point::SmtpConnected | Point::SmtpAuthenticating => {
                (&mut states.connecting, "while it connected")
            }
            Point::SmtpMail => (&mut states.before_data, "before DATA"),
            Point::SmtpData => (&mut states.in_data, "in DATA"),
            Point::SmtpReplied => (&mut states.committing, "while it recorded the reply"),
            _ => (
                &mut states.after_data,
                "after the final dot, before its reply was seen",
            ),
        };
        *counter += 1;
        Ok(words)
    }

    /// Ends the permission, begins a reconnect and kills it at a point of the proof, chosen by the seed.
    pub(super) async fn kill_verifying_at_point(
        &mut self,
        sandbox: &Sandbox,
    ) -> Result<&'static str> {
        self.mean_another();
        self.servers.revoke(&self.person()?.address).await?;
        self.wait_disconnected().await?;
        let control = sandbox.control();
        self.let_some_be_heard_of(control, ANSWERS_IN_AN_OUTAGE)?;
        let mail = [
            Point::SmtpAuthenticating,
            Point::ImapAuthenticating,
            Point::ImapSelected,
        ];
        let tokens = [
            Point::TokenRequestReceived {
                grant_type: GrantType::RefreshToken,
            },
            Point::TokenAnswerReady,
        ];
        let mut points = mail.to_vec();
        if let Some(habits) = &sandbox.profile().oauth {
            points.extend(tokens);
            if habits.userinfo_takes_mail_tokens {
                points.push(Point::UserInfo);
            }
        }
        let point = points
            .get(self.rng.random_range(0..points.len()))
            .copied()
            .context("no point")?;
        let id = if point == Point::TokenAnswerReady {
            // The device's own exchange passes this point too: only the relay's refresh is meant.
            let refreshing = control.hold(Point::TokenRequestReceived {
                grant_type: GrantType::RefreshToken,
            });
            let id = self.sign_in().await?;
            refreshing.reached().await;
            let held = control.hold(point);
            refreshing.release();
            held.reached().await;
            self.kill_and_restart(held).await?;
            id
        } else {
            let held = control.hold(point);
            let id = self.sign_in().await?;
            held.reached().await;
            self.kill_and_restart(held).await?;
            id
        };
        self.summary.kills_by_state.verifying += 1;
        let over = self.device.wait_over(&id).await?;
        if over.state != ReconnectState::Resumed {
            self.click_again(&over).await?;
        }
        Ok("while it verified a reconnect")
    }

    async fn kill_and_restart(&mut self, held: Held) -> Result<()> {
        self.relay.kill()?;
        held.release();
        self.relay.start_again().await
    }

    /// Lets a few messages pass, so that kills do not all meet the same one.
    async fn let_some_pass(&mut self, control: &Control) {
        let before = control.delivered().len();
        let wanted = self.rng.random_range(0..6);
        let passed = async || (control.delivered().len() >= before + wanted).then_some(());
        // When nothing is due, nothing passes; the point then shows that the relay is idle.
        let _ = wait_for("some messages", passed, POINT_WITHIN).await;
    }
}
