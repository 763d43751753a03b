//! The addresses of the dashboard's pages. Few enough to be read and written here, without a router.

use protocol::id::{CampaignId, ReceiptId};
use protocol::secret::Secret;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Signing in, by the code of a one-time link.
    Login,
    /// Every campaign.
    Campaigns,
    /// One campaign.
    Campaign(CampaignId),
    /// Every inbox.
    Inboxes,
    /// Every receipt.
    Receipts,
    /// One receipt.
    Receipt(ReceiptId),
    /// Paired browsers and this one's session.
    Settings,
    /// Who did what, for owners.
    Activity,
    /// No page of ours.
    Missing,
}

impl Route {
    /// The page at a path.
    pub fn parse(path: &str) -> Self {
        let mut segments = path.split('/').filter(|segment| !segment.is_empty());
        match (segments.next(), segments.next(), segments.next()) {
            (None | Some("campaigns"), None, None) => Self::Campaigns,
            (Some("campaigns"), Some(id), None) => Self::Campaign(CampaignId::new(unescape(id))),
            (Some("inboxes"), None, None) => Self::Inboxes,
            (Some("receipts"), None, None) => Self::Receipts,
            (Some("receipts"), Some(id), None) => Self::Receipt(ReceiptId::new(unescape(id))),
            (Some("settings" | "pair"), None, None) => Self::Settings,
            (Some("activity"), None, None) => Self::Activity,
            (Some("login"), None, None) => Self::Login,
            _ => Self::Missing,
        }
    }

    /// The path of the page.
    pub fn render(&self) -> String {
        match self {
            Self::Login => "/login".to_owned(),
            Self::Campaigns | Self::Missing => "/campaigns".to_owned(),
            Self::Campaign(id) => format!("/campaigns/{}", escape(id.as_str())),
            Self::Inboxes => "/inboxes".to_owned(),
            Self::Receipts => "/receipts".to_owned(),
            Self::Receipt(id) => format!("/receipts/{}", escape(id.as_str())),
            Self::Settings => "/settings".to_owned(),
            Self::Activity => "/activity".to_owned(),
        }
    }

    /// The entry of the navigation that this page belongs to.
    pub fn section(&self) -> Option<Self> {
        match self {
            Self::Campaigns | Self::Campaign(_) => Some(Self::Campaigns),
            Self::Inboxes => Some(Self::Inboxes),
            Self::Receipts | Self::Receipt(_) => Some(Self::Receipts),
            Self::Settings | Self::Activity => Some(Self::Settings),
            Self::Login | Self::Missing => None,
        }
    }
}

/// An invitation: somebody sets the password of an account by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invited {
    /// The code of the link.
    pub code: Secret,
    /// What the account signs in as, for a password manager.
    pub name: String,
}

/// The invitation in the fragment of an address.
pub fn find_invitation(fragment: &str) -> Option<Invited> {
    let fields = fragment.trim_start_matches('#');
    let find = |wanted: &str| {
        form_urlencoded::parse(fields.as_bytes())
            .find(|(name, value)| name == wanted && !value.is_empty())
            .map(|(_, value)| value.into_owned())
    };
    Some(Invited {
        code: Secret::new(find("invitation")?),
        name: find("name").unwrap_or_default(),
    })
}

/// The code of a one-time link, from the fragment of its address.
pub fn find_code(fragment: &str) -> Option<Secret> {
    let fields = fragment.trim_start_matches('#');
    form_urlencoded::parse(fields.as_bytes())
        .find(|(name, value)| name == "code" && !value.is_empty())
        .map(|(_, value)| Secret::new(value))
}

fn escape(id: &str) -> String {
    form_urlencoded::byte_serialize(id.as_bytes()).collect()
}

fn unescape(segment: &str) -> String {
    form_urlencoded::parse(segment.as_bytes())
        .next()
        .map_or_else(String::new, |(name, _)| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_found_again_by_its_path() {
        for route in [
            Route::Login,
            Route::Campaigns,
            Route::Campaign(CampaignId::new("cmp_a/b c")),
            Route::Inboxes,
            Route::Receipts,
            Route::Receipt(ReceiptId::new("rcp_1")),
            Route::Settings,
            Route::Activity,
        ] {
            assert_eq!(Route::parse(&route.render()), route);
        }
        assert_eq!(Route::parse("/"), Route::Campaigns);
        assert_eq!(Route::parse("/inboxes/"), Route::Inboxes);
        assert_eq!(Route::parse("/campaigns/cmp_1/leads"), Route::Missing);
        assert_eq!(Route::parse("/elsewhere"), Route::Missing);
    }

    #[test]
    fn an_invitation_is_read_with_the_name_that_it_is_for() {
        let invited = |code: &str, name: &str| Invited {
            code: Secret::new(code),
            name: name.to_owned(),
        };
        for (fragment, expected) in [
            (
                "#invitation=c0de&name=jane%40acme.example",
                Some(invited("c0de", "jane@acme.example")),
            ),
            ("#invitation=c0de", Some(invited("c0de", ""))),
            ("#name=jane", None),
            ("#code=c0de", None),
        ] {
            assert_eq!(find_invitation(fragment), expected, "{fragment}");
        }
    }

    #[test]
    fn a_code_is_read_from_the_fragment_only_where_there_is_one() {
        for (fragment, code) in [
            ("#code=c0de", Some("c0de")),
            ("#a=b&code=c%2Bd", Some("c+d")),
            ("#code=", None),
            ("#", None),
            ("", None),
        ] {
            assert_eq!(find_code(fragment), code.map(Secret::new), "{fragment}");
        }
    }
}
