//! The addresses of a new operation and of its target.

use super::{
    document::Document,
    kind::{Family, Kind},
    monitor::Monitor,
    path::{self, Address},
    service::Service,
};

/// The addresses of an operation that is about to start.
#[derive(Debug)]
pub(super) struct Addresses {
    pub(super) address: Address,
    /// The resource below which the operation is read.
    pub(super) home: Address,
    pub(super) target: Address,
    /// The query of the operation's address.
    pub(super) query: Option<String>,
}

impl Service {
    /// Allocates ids and addresses. `base` is the path that the operation belongs to.
    pub(super) fn allocate(
        &mut self,
        kind: Kind,
        ids: &[String],
        base: &str,
        body: &Document,
        monitor: Monitor,
    ) -> Addresses {
        match kind.family() {
            Family::Teams | Family::Engagement => self.teams_addresses(kind, ids, body),
            Family::Drive => self.drive_addresses(kind, ids, base, body, monitor),
            _ => self.family_addresses(kind, ids, base, body),
        }
    }

    fn teams_addresses(&mut self, kind: Kind, parents: &[String], body: &Document) -> Addresses {
        let team =
            |index: usize| Address::new("teams", parents.get(index).map_or("", String::as_str));
        let (home, target) = match kind {
            Kind::CreateTeam | Kind::CloneTeam => {
                // The operation of a clone is read below the new team too.
                let group = body.text("group@odata.bind");
                let id = group.as_deref().and_then(path::bound).map(str::to_owned);
                let created = Address::new("teams", &id.unwrap_or_else(|| self.ids.guid()));
                (created.clone(), created)
            }
            Kind::CreateChannel => {
                let id = format!("19:{}@thread.tacv2", self.ids.guid().replace('-', ""));
                (team(0), team(0).child("channels", &id))
            }
            Kind::ArchiveChannel | Kind::UnarchiveChannel => {
                let channel = parents.get(1).map_or("", String::as_str);
                (team(0), team(0).child("channels", channel))
            }
            Kind::CreateChat => {
                let id = format!("19:{}@thread.v2", self.ids.guid().replace('-', ""));
                let chat = Address::new("chats", &id);
                (chat.clone(), chat)
            }
            Kind::CreateCommunity => {
                let home = Address::fixed("/employeeExperience");
                let community = home.child("communities", &self.ids.guid());
                (home, community)
            }
            _ => (team(0), team(0)),
        };
        let (set, id) = match kind {
            Kind::CreateChat => ("operations", [(); 3].map(|()| self.ids.guid()).join("-")),
            Kind::CreateCommunity => ("engagementAsyncOperations", self.ids.guid()),
            _ => ("operations", self.ids.guid()),
        };
        Addresses { address: home.child(set, &id), home, target, query: None }
    }

    fn family_addresses(
        &mut self,
        kind: Kind,
        ids: &[String],
        base: &str,
        body: &Document,
    ) -> Addresses {
        let home = Address::fixed(base);
        let id = self.ids.guid();
        let last = ids.last().map_or("", String::as_str);
        let mut query = None;
        let (operation, target) = match kind {
            Kind::CopyContentType => {
                let content_type = body.text("contentTypeId").unwrap_or_default();
                // The id names the content type, not the run.
                let operation = format!("contentTypeCopy,{content_type}");
                (operation, home.child("contentTypes", &content_type))
            }
            Kind::CreateSite => {
                let site = format!("loopback.example,{id},{}", self.ids.guid());
                (format!("{}=", id.replace('-', "")), Address::new("sites", &site))
            }
            Kind::ResetPassword => {
                query = Some("aadgdc=LOOP1P&aadgsu=ssprprod-a".to_owned());
                (id, home.child("methods", last))
            }
            Kind::ChangeSchema => (id, Address::fixed(format!("{base}/schema"))),
            Kind::CreateSession => {
                let target = home.child("sessionInfoResource", &id);
                (id, target)
            }
            Kind::AddTableRow => {
                query = Some(format!("sessionId={}", session(&id)));
                let target = home.child("tableRowOperationResult", &id);
                (id, target)
            }
            Kind::CreatePrinter => (id, home.child("printers", &self.ids.guid())),
            _ => {
                let set = match last.to_lowercase().as_str() {
                    "sections" => "sections",
                    "sectiongroups" => "sectionGroups",
                    "pages" => "pages",
                    _ => "notebooks",
                };
                (format!("copy-{id}"), home.child(set, &format!("1-{}", self.ids.guid())))
            }
        };
        let set = if kind == Kind::CreateSite { "getOperationStatus" } else { "operations" };
        // In a function call the last segment is the parameter; the address is read the same way.
        Addresses { address: home.child(set, &operation), home, target, query }
    }

    fn drive_addresses(
        &mut self,
        kind: Kind,
        ids: &[String],
        base: &str,
        body: &Document,
        monitor: Monitor,
    ) -> Addresses {
        let parent = body.get("parentReference");
        let drive = parent.as_ref().and_then(|parent| parent.get("driveId")?.as_str());
        let drive = drive.map_or_else(|| base.to_owned(), |drive| format!("/drives/{drive}"));
        let item = match kind {
            Kind::MoveItem => ids.last().cloned().unwrap_or_default(),
            _ => format!("01{}", self.ids.guid().replace('-', "").to_uppercase()),
        };
        let target = Address::fixed(drive).child("items", &item);
        let (home, set, id, query) = if monitor.is_personal() {
            // The long id alone gives access.
            let id = [(); 6].map(|()| self.ids.guid().replace('-', "")).concat();
            (Address::fixed("/v1.0"), "monitor", id, None)
        } else {
            let home = Address::fixed("/personal/admin_loopback_example/_api/v2.1/drive");
            let secret = self.ids.guid().replace('-', "");
            (home, "operations", self.ids.guid(), Some(format!("v=2.0&tempauth={secret}")))
        };
        Addresses { address: home.child(set, &id), home, target, query }
    }
}

/// A replacement for a workbook session's id: base64 text with padding.
pub(super) fn session(seed: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};

    STANDARD.encode(format!("cluster=SIM0&session={seed}.A12"))
}
