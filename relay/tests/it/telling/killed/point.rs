//! Where a relay is killed.

use std::time::Duration;

use sandbox::Point as MailPoint;

use crate::telling::receiver::Act;

/// One place between what happens and its telling.
#[derive(Clone, Debug)]
pub(super) enum Point {
    /// So long after it was let happen: before, while and after it is committed.
    After(Duration),
    /// By the webhook's end.
    AtWebhook(Act),
    /// Where the mail server holds the relay.
    AtMail(MailPoint),
}

pub(super) fn points() -> Vec<Point> {
    let after = [0, 30, 60, 120].map(|ms| Point::After(Duration::from_millis(ms)));
    let at_webhook = [
        Act::KillUnread,
        Act::KillUnanswered,
        Act::KillAnswered("200 OK"),
        Act::KillAnswered("500 Internal Server Error"),
    ];
    let at_mail = [
        MailPoint::SmtpConnected,
        MailPoint::SmtpAuthenticating,
        MailPoint::SmtpMail,
        MailPoint::SmtpData,
        MailPoint::SmtpDotReceived,
        MailPoint::SmtpStored,
        MailPoint::SmtpReplied,
    ];
    let at_webhook = at_webhook.map(Point::AtWebhook);
    let at_mail = at_mail.map(Point::AtMail);
    [after.to_vec(), at_webhook.to_vec(), at_mail.to_vec()].concat()
}
