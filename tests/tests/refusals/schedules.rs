//! Refusals of schedules and caps that cannot be kept.

use crate::row::{Ask, Content, How, Row, Who};

pub(crate) static ROWS: &[Row] = &[
    Row {
        case: "schedule in a zone that there is not",
        how: How::Command(&[
            "campaign",
            "schedule",
            "{draft}",
            "--zone",
            "Europe/Berln",
            "--window",
            "09:00-17:00",
        ]),
        code: "exit 1",
        place: "field schedule.zone",
        words: "expected a zone of the IANA database, as in Europe/Berlin, found \"Europe/Berln\"; did you mean Europe/Berlin?",
    },
    Row {
        case: "schedule without a window",
        how: How::Command(&["campaign", "schedule", "{draft}", "--zone", "Europe/Berlin"]),
        code: "exit 1",
        place: "field schedule.windows",
        words: "expected 1 to 24 windows, as in 09:00 to 17:00, found 0",
    },
    Row {
        case: "schedule with a window that ends before it begins",
        how: How::Command(&[
            "campaign",
            "schedule",
            "{draft}",
            "--zone",
            "Europe/Berlin",
            "--window",
            "22:00-02:00",
        ]),
        code: "exit 1",
        place: "field schedule.windows[0].to",
        words: "expected a time after 22:00, found 02:00: a window that goes on after midnight is two, one to 24:00 and one from 00:00",
    },
    Row {
        case: "schedule that ends before it starts",
        how: How::Command(&[
            "campaign",
            "schedule",
            "{draft}",
            "--zone",
            "Europe/Berlin",
            "--window",
            "09:00-17:00",
            "--starts",
            "2099-03-02",
            "--ends",
            "2099-03-01",
        ]),
        code: "exit 1",
        place: "field schedule.ends_on",
        words: "expected 2099-03-02 or a later day, found 2099-03-01",
    },
    Row {
        case: "schedule with a start that never comes",
        how: How::Command(&[
            "campaign",
            "schedule",
            "{draft}",
            "--zone",
            "Europe/Berlin",
            "--window",
            "09:00-17:00",
            // A Saturday and a Sunday.
            "--starts",
            "2099-02-28",
            "--ends",
            "2099-03-01",
        ]),
        code: "exit 1",
        place: "field schedule",
        words: "expected a window that opens some day, found none from 2099-02-28 to 2099-03-01: the days of the week, the days that are left out and the first and last day leave nothing that lies ahead",
    },
    Row {
        case: "schedule from a day that there is not",
        how: How::Ask(Ask {
            line: "POST /v1/campaigns/{draft}/sending",
            who: Who::Operator,
            host: None,
            body: Content::Text(
                "{\"schedule\":{\"zone\":\"UTC\",\"weekdays\":[\"monday\"],\"windows\":[{\"from\":\"09:00\",\"to\":\"17:00\"}],\"starts_on\":\"2027-02-29\"}}",
            ),
        }),
        code: "422 invalid",
        place: "field schedule.starts_on",
        words: "expected a day of the calendar, as in 2026-12-24, found \"2027-02-29\"",
    },
    Row {
        case: "schedule and none at once",
        how: How::Ask(Ask {
            line: "POST /v1/campaigns/{draft}/sending",
            who: Who::Operator,
            host: None,
            body: Content::Text(
                "{\"any_time\":true,\"schedule\":{\"zone\":\"UTC\",\"weekdays\":[\"monday\"],\"windows\":[{\"from\":\"09:00\",\"to\":\"17:00\"}]}}",
            ),
        }),
        code: "422 invalid",
        place: "field any_time",
        words: "expected a schedule or any_time, found both: any_time takes it away",
    },
    Row {
        case: "cap beyond what can be asked for",
        how: How::Command(&["campaign", "schedule", "{draft}", "--daily-cap", "100001"]),
        code: "exit 1",
        place: "field daily_cap",
        words: "expected at most 100000, or 0 for as many as there are, found 100001",
    },
];
