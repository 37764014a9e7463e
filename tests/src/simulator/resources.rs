//! The targets of operations, and what else clients read, change and delete: teams and their
//! groups, channels and members.

use std::time::Instant;

use axum::http::{StatusCode, header::LOCATION};

use super::{
    answer::Answer,
    context::{Call, Context},
    document::Document,
    documents,
    fault::Fault,
    ids,
    life::Span,
    path::{self, Address, Keys},
    plan::Occasion,
    record::Recorded,
    service::Service,
};

/// Something that can be read.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) address: Address,
    pub(super) document: Document,
    /// The operation that creates it.
    pub(super) created_by: Option<String>,
    /// The operations on it, the latest last.
    pub(super) touched_by: Vec<String>,
    /// How many times it was not found after the success.
    misses: u32,
}

impl Resource {
    pub(super) fn new(address: Address, sent: &Document) -> Self {
        let document = documents::created(&address, sent);
        Self::with_document(address, document)
    }

    pub(super) fn with_document(address: Address, document: Document) -> Self {
        Self { address, document, created_by: None, touched_by: Vec::new(), misses: 0 }
    }

    #[must_use]
    pub(super) fn created_by(mut self, operation: Option<&str>) -> Self {
        self.created_by = operation.map(str::to_owned);
        self.touched_by.extend(operation.map(str::to_owned));
        self
    }
}

impl Service {
    /// Reads a resource.
    pub(super) fn read(
        &mut self,
        identity: &str,
        call: &Call,
        context: &Context,
        recorded: &mut Recorded,
    ) -> Answer {
        let is_group = identity.starts_with("groups/");
        let identity = &self.resolve(identity);
        recorded.nth = self.count(Occasion::Target, identity);
        let Some(resource) = self.resources.get(identity) else {
            return missing(identity, context);
        };
        let creator = resource.created_by.clone();
        // The behaviour of the latest operation applies, or else that of the resource's own id.
        let by = resource.touched_by.last().and_then(|id| self.operations.get(id));
        let keys = by.map_or_else(
            || vec![resource.address.key().to_owned()],
            |operation| operation.keys.clone(),
        );
        let specific = self.behaviour_of(&keys);
        let lag = specific
            .readable_after
            .or_else(|| creator.as_ref().and(self.options.default.readable_after));
        let behaviour = specific.or(&self.options.default);
        recorded.draw(&behaviour, Occasion::Target, identity, self.salt(identity));
        if let Some(fault) = &recorded.fault
            && let Some(answer) = context.outage(fault, call, &self.foreign_origin)
        {
            return answer;
        }
        let latest =
            self.resources.get(identity).and_then(|found| found.touched_by.last().cloned());
        let by = creator.or(latest.filter(|_| lag.is_some()));
        let seen = recorded.fault.as_ref().is_none_or(Fault::is_truthful);
        if !self.is_readable(identity, by, lag, call.at, seen) {
            return missing(identity, context);
        }
        let Some(mut document) = self.shown(identity, call.at) else {
            return missing(identity, context);
        };
        if is_group && identity.starts_with("teams/") {
            document = documents::group_of(&document);
        }
        let root = self.root(context.version);
        let selected = call.selected();
        if let Some(names) = &selected {
            document.select(names);
        }
        let entity = if is_group {
            "groups/$entity".to_owned()
        } else {
            documents::entity_context(identity)
        };
        let mut whole =
            Document::new().with("@odata.context", format!("{root}/$metadata#{entity}"));
        whole.merge(&document, |_| true);
        Answer::json(StatusCode::OK, whole.write())
    }

    /// The identity of what a path stands for: `primaryChannel` is a channel, and the team stands
    /// for its group.
    fn resolve(&self, identity: &str) -> String {
        if let Some(team) = identity.strip_suffix("/primarychannel") {
            return general(&Address::fixed(format!("/{team}"))).identity();
        }
        match identity.strip_prefix("groups/") {
            Some(group) if !self.resources.contains_key(identity) => {
                let team = format!("teams/{group}");
                if self.resources.contains_key(&team) { team } else { identity.to_owned() }
            }
            _ => identity.to_owned(),
        }
    }

    /// A resource's document, without its context.
    fn shown(&mut self, identity: &str, now: Instant) -> Option<Document> {
        let mut document = self.resources.get(identity)?.document.clone();
        if identity.starts_with("teams/") && !identity.contains("/members/") {
            document.set("isArchived", self.is_archived(identity, now));
        }
        Some(document)
    }

    /// Whether the resource was created long enough ago to be readable. A look whose result the
    /// client will not see uses nothing up.
    fn is_readable(
        &mut self,
        identity: &str,
        operation: Option<String>,
        lag: Option<Span>,
        now: Instant,
        seen: bool,
    ) -> bool {
        let Some(operation) = operation else {
            return true;
        };
        let succeeded = self
            .operations
            .get_mut(&operation)
            .and_then(|operation| operation.course.succeeded_at(now));
        let (Some(since), Some(resource)) = (succeeded, self.resources.get_mut(identity)) else {
            return false;
        };
        match lag.unwrap_or(Span::ZERO) {
            Span::Time(time) => now.saturating_duration_since(since) >= time,
            Span::Checks(checks) if resource.misses < checks => {
                resource.misses += u32::from(seen);
                false
            }
            Span::Checks(_) => true,
        }
    }

    /// Whether the resource exists, even if it is not readable yet.
    pub(super) fn exists(&mut self, identity: &str, now: Instant) -> bool {
        let Some(resource) = self.resources.get(identity) else {
            return false;
        };
        let Some(creator) = resource.created_by.clone() else {
            return true;
        };
        self.operations
            .get_mut(&creator)
            .is_some_and(|operation| operation.course.succeeded_at(now).is_some())
    }

    /// Whether requests may name this team: any that was not deleted or, if the simulator is
    /// strict, only one that exists.
    pub(super) fn knows_team(&mut self, team: &str, now: Instant) -> bool {
        let identity = Address::new("teams", team).identity();
        if self.deleted.contains(&identity) {
            return false;
        }
        !self.options.strict || self.exists(&identity, now)
    }

    pub(super) fn is_archived(&mut self, identity: &str, now: Instant) -> bool {
        let touched = self
            .resources
            .get(identity)
            .map(|resource| resource.touched_by.clone())
            .unwrap_or_default();
        touched.iter().rev().find_map(|id| {
            let operation = self.operations.get_mut(id)?;
            operation.kind.archives().filter(|_| operation.course.succeeded_at(now).is_some())
        }) == Some(true)
    }

    /// Adds a team, with what every team has.
    pub(super) fn add_team(&mut self, team: &Address, sent: &Document, by: Option<&str>) {
        let new = Resource::new(team.clone(), sent).created_by(by);
        let identity = team.identity();
        self.deleted.remove(&identity);
        self.resources.entry(identity).or_insert(new);
        let mut channels = vec![(general(team), "General".to_owned())];
        let requested = sent.get("channels");
        let requested = requested.as_ref().and_then(|list| list.as_array());
        for channel in requested.into_iter().flatten() {
            if let Some(name) = channel.get("displayName").and_then(|name| name.as_str())
                && name != "General"
            {
                channels.push((team.child("channels", &thread(team, name)), name.to_owned()));
            }
        }
        for (address, name) in channels {
            let document = Document::new().with("displayName", &name);
            let channel = Resource::new(address.clone(), &document).created_by(by);
            self.resources.entry(address.identity()).or_insert(channel);
        }
        let members = sent.get("members");
        let members = members.as_ref().and_then(|list| list.as_array());
        for member in members.into_iter().flatten() {
            let sent = Document::parse(member.to_string().as_bytes()).unwrap_or_default();
            let address = team.child("members", &membership(team, &sent));
            let member = Resource::new(address.clone(), &sent).created_by(by);
            self.resources.entry(address.identity()).or_insert(member);
        }
    }

    /// Lists a collection.
    pub(super) fn list(&mut self, collection: &str, call: &Call, context: &Context) -> Answer {
        let (owner, _) = collection.rsplit_once('/').unwrap_or_default();
        if !owner.is_empty() && !self.exists(owner, call.at) {
            return missing(owner, context);
        }
        let set = if collection == "groups" { "teams" } else { collection };
        let mut members: Vec<String> = self.members(set);
        if collection == "groups" {
            members.extend(self.members("groups"));
        }
        let selected = call.selected();
        let top = call.parameter("$top").and_then(|top| top.parse().ok()).unwrap_or(usize::MAX);
        let mut value = Vec::new();
        for identity in members {
            if value.len() >= top {
                break;
            }
            if !self.exists(&identity, call.at) {
                continue;
            }
            if let Some(mut document) = self.shown(&identity, call.at) {
                if collection == "groups" && set == "teams" && identity.starts_with("teams/") {
                    document = documents::group_of(&document);
                }
                if let Some(names) = &selected {
                    document.select(names);
                }
                value.push(document);
            }
        }
        let root = self.root(context.version);
        let entity = documents::entity_context(&format!("{collection}/x"));
        let entity = entity.trim_end_matches("/$entity");
        let list = Document::new()
            .with("@odata.context", format!("{root}/$metadata#{entity}"))
            .with("@odata.count", value.len())
            .with("value", value);
        Answer::json(StatusCode::OK, list.write())
    }

    /// The identities of a collection's members.
    fn members(&self, collection: &str) -> Vec<String> {
        let prefix = format!("{collection}/");
        let from = self.resources.range(prefix.clone()..);
        from.map(|(identity, _)| identity)
            .take_while(|identity| identity.starts_with(&prefix))
            .filter(|identity| !identity[prefix.len()..].contains('/'))
            .cloned()
            .collect()
    }

    /// Lists the operations below a team or chat.
    pub(super) fn operations_of(&mut self, home: &str, call: &Call, context: &Context) -> Answer {
        let mut value = Vec::new();
        let root = self.root(context.version);
        for identity in &self.order {
            let Some(operation) = self.operations.get(identity) else { continue };
            if operation.home.identity() == home {
                let view = operation.course.peek(call.at);
                let mut document = Document::new();
                let whole = documents::operation(operation, &view, &root, call.wants_all_members());
                document.merge(&whole, |name| name != "@odata.context");
                if let Some(names) = call.selected() {
                    document.select(&names);
                }
                value.push(document);
            }
        }
        if value.is_empty() && !self.exists(home, call.at) {
            return missing(home, context);
        }
        let (set, key) = home.split_once('/').unwrap_or((home, ""));
        let list = Document::new()
            .with(
                "@odata.context",
                format!("{root}/$metadata#{set}('{}')/operations", path::encode(key)),
            )
            .with("@odata.count", value.len())
            .with("value", value);
        Answer::json(StatusCode::OK, list.write())
    }

    /// Adds a group, or a member of a team.
    pub(super) fn create(&mut self, collection: &str, call: &Call, context: &Context) -> Answer {
        let body = match sent(call, context) {
            Ok(body) => body,
            Err(refusal) => return *refusal,
        };
        let lower = collection.to_lowercase();
        let address = match lower.strip_suffix("/members") {
            Some(owner) if !self.exists(owner, call.at) => return missing(owner, context),
            Some(owner) => {
                if body.text("user@odata.bind").is_none() {
                    return context.bad_request("The property 'user@odata.bind' is required.");
                }
                let team = Address::fixed(format!("/{owner}"));
                let id = membership(&team, &body);
                team.child("members", &id)
            }
            None if body.text("displayName").is_none() => {
                return context.error(
                    StatusCode::BAD_REQUEST,
                    "Request_BadRequest",
                    "A value is required for property 'displayName' of resource 'Group'.",
                );
            }
            None => Address::new("groups", &self.ids.guid()),
        };
        self.created(&address, Resource::new(address.clone(), &body), context)
    }

    /// Turns a group into a team. The service does this at once, and answers with the team.
    pub(super) fn make_team(&mut self, group: &str, call: &Call, context: &Context) -> Answer {
        let body = match sent(call, context) {
            Ok(body) => body,
            Err(refusal) => return *refusal,
        };
        let team = Address::new("teams", group);
        let of = Address::new("groups", group).identity();
        if self.exists(&team.identity(), call.at) {
            return context.has_team();
        }
        if self.options.strict && !self.exists(&of, call.at) {
            return context.not_found(&of);
        }
        let mut sent = Document::new();
        if let Some(group) = self.resources.get(&of) {
            sent.merge(&group.document, |name| {
                ["displayName", "description", "visibility"].contains(&name)
            });
        }
        sent.merge(&body, |_| true);
        self.add_team(&team, &sent, None);
        let resource = Resource::new(team.clone(), &sent);
        self.created(&team, resource, context)
    }

    /// Keeps a resource, and answers 201.
    pub(super) fn created(
        &mut self,
        address: &Address,
        resource: Resource,
        context: &Context,
    ) -> Answer {
        let root = self.root(context.version);
        let identity = address.identity();
        let entity = documents::entity_context(&identity);
        let mut document =
            Document::new().with("@odata.context", format!("{root}/$metadata#{entity}"));
        document.merge(&resource.document, |_| true);
        self.deleted.remove(&identity);
        self.resources.insert(identity, resource);
        let mut answer = Answer::json(StatusCode::CREATED, document.write());
        answer.insert(LOCATION, &format!("{root}{}", address.write(Keys::Quoted)));
        answer
    }

    /// Changes a resource's properties.
    pub(super) fn update(&mut self, identity: &str, call: &Call, context: &Context) -> Answer {
        let body = match sent(call, context) {
            Ok(body) => body,
            Err(refusal) => return *refusal,
        };
        let identity = &self.resolve(identity);
        if !self.exists(identity, call.at) {
            return missing(identity, context);
        }
        if let Some(resource) = self.resources.get_mut(identity) {
            resource.document.merge(&body, |name| name != "id" && !name.contains("@odata."));
        }
        Answer::empty(StatusCode::NO_CONTENT)
    }

    /// Deletes a resource; a group with its team, a team with its group.
    pub(super) fn delete(&mut self, identity: &str, call: &Call, context: &Context) -> Answer {
        if !self.exists(&self.resolve(identity), call.at) {
            return missing(identity, context);
        }
        let (set, key) = identity.split_once('/').unwrap_or((identity, ""));
        let doomed = if ["groups", "teams"].contains(&set) && !key.contains('/') {
            vec![format!("groups/{key}"), format!("teams/{key}")]
        } else {
            let team = identity.split("/channels/").next().unwrap_or_default();
            if general(&Address::fixed(format!("/{team}"))).identity() == identity {
                return context.bad_request("The General channel cannot be deleted.");
            }
            vec![identity.to_owned()]
        };
        for gone in doomed {
            let below = format!("{gone}/");
            self.resources.retain(|known, _| *known != gone && !known.starts_with(&below));
            self.deleted.insert(gone);
        }
        Answer::empty(StatusCode::NO_CONTENT)
    }
}

/// The object in the body of a write.
fn sent(call: &Call, context: &Context) -> Result<Document, Box<Answer>> {
    if let Some(refusal) = context.unreadable(call) {
        return Err(refusal.into());
    }
    Document::parse(&call.body)
        .filter(|body| !body.is_empty())
        .ok_or_else(|| context.bad_request("Unable to read JSON request payload.").into())
}

fn missing(identity: &str, context: &Context) -> Answer {
    match identity.split('/').collect::<Vec<_>>().as_slice() {
        ["teams", team] => context.unknown_team(team),
        _ => context.not_found(identity),
    }
}

/// The channel that every team has.
fn general(team: &Address) -> Address {
    team.child("channels", &thread(team, "General"))
}

/// A channel's id, which is derived from its team and its name.
fn thread(team: &Address, name: &str) -> String {
    let [first, second] =
        ["1", "2"].map(|salt| ids::hash(&format!("{salt} {} {name}", team.identity())));
    format!("19:{first:016x}{second:016x}@thread.tacv2")
}

/// A membership's id, which is derived from the team and the user.
fn membership(team: &Address, sent: &Document) -> String {
    let user = sent.text("user@odata.bind").or_else(|| sent.text("userId")).unwrap_or_default();
    let [first, second] =
        ["1", "2"].map(|salt| ids::hash(&format!("{salt} {} {user}", team.identity())));
    format!("{first:016x}{second:016x}")
}
