//! The service: everything it knows, and how it answers.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, Instant},
};

use axum::http::{StatusCode, header::USER_AGENT};

use super::{
    answer::Answer,
    batch,
    context::{Call, Context, whole_seconds},
    document::Document,
    documents,
    fault::Fault,
    ids::{self, Ids},
    kind::Family,
    life::{Phase, Stage},
    operation::{self, Operation},
    options::{Behaviour, Options},
    path::{self, Address, Version},
    plan::{Counted, Occasion},
    rate::Throttle,
    record::{self, ForeignRequest, Origin, Recorded},
    replay::Tape,
    resources::Resource,
    routes::{self, Refusal, Route},
    token,
};

/// The origins that addresses have.
#[derive(Clone, Debug)]
pub(super) struct Origins {
    pub(super) service: String,
    pub(super) monitor: String,
    pub(super) foreign: String,
}

/// The service's whole state.
#[derive(Debug)]
pub(super) struct Service {
    /// The options at the start, for a reset.
    initial: Options,
    pub(super) options: Options,
    pub(super) origin: String,
    pub(super) monitor_origin: String,
    pub(super) foreign_origin: String,
    pub(super) ids: Ids,
    /// Separate, so that the ids of operations do not depend on how often a client checks.
    request_ids: Ids,
    tape: Tape,
    pub(super) throttle: Throttle,
    tokens: token::Labels,
    /// When the service started. A frozen clock stays at this instant.
    born: Instant,
    /// How far the service's clock was advanced.
    pub(super) skipped: Duration,
    pub(super) operations: HashMap<String, Operation>,
    /// The operations' identities, in the order of their start.
    pub(super) order: Vec<String>,
    /// By identity.
    pub(super) resources: BTreeMap<String, Resource>,
    /// The identities of what was deleted.
    pub(super) deleted: HashSet<String>,
    pub(super) counts: Counted,
    pub(super) requests: Vec<Recorded>,
    /// The records of a batch's items, until that of the batch is written.
    pub(super) items: Vec<Recorded>,
    pub(super) foreign: Vec<ForeignRequest>,
}

impl Service {
    pub(super) fn new(options: Options, origins: Origins) -> Self {
        let public =
            |public: &Option<String>, own: &str| public.clone().unwrap_or_else(|| own.to_owned());
        let mut service = Self {
            ids: Ids::new(options.seed),
            request_ids: Ids::new(!options.seed),
            origin: public(&options.public_origin, &origins.service),
            monitor_origin: public(&options.public_monitor_origin, &origins.monitor),
            foreign_origin: origins.foreign,
            tape: Tape::new(options.replay.clone()),
            throttle: Throttle::new(options.rate, options.team_rate),
            tokens: token::Labels::default(),
            born: Instant::now(),
            skipped: Duration::ZERO,
            operations: HashMap::new(),
            order: Vec::new(),
            resources: BTreeMap::new(),
            deleted: HashSet::new(),
            counts: HashMap::new(),
            requests: Vec::new(),
            items: Vec::new(),
            foreign: Vec::new(),
            initial: options.clone(),
            options,
        };
        for team in service.options.teams.clone() {
            service.add_team(&Address::new("teams", &team), &Document::new(), None);
        }
        service
    }

    /// Forgets everything that has happened, and every setting made since the start.
    pub(super) fn reset(&mut self) {
        let origins = Origins {
            service: self.origin.clone(),
            monitor: self.monitor_origin.clone(),
            foreign: self.foreign_origin.clone(),
        };
        *self = Self::new(self.initial.clone(), origins);
    }

    /// What the service's clock shows.
    pub(super) fn clock(&self, now: Instant) -> Instant {
        let now = if self.options.frozen { self.born } else { now };
        now + self.skipped
    }

    pub(super) fn request_id(&mut self) -> String {
        self.request_ids.guid()
    }

    pub(super) fn context(
        &self,
        call: &Call,
        version: Option<Version>,
        request_id: String,
    ) -> Context {
        let skipped = time::Duration::try_from(self.skipped).unwrap_or(time::Duration::MAX);
        let ahead = time::Duration::seconds(self.options.clock_ahead).saturating_add(skipped);
        Context::new(call, version, request_id, ahead)
    }

    /// A request's record, before anything is known about its answer.
    pub(super) fn recorded(&mut self, call: &Call, at: Instant, context: &Context) -> Recorded {
        Recorded {
            at,
            method: call.method.clone(),
            path: call.uri.to_string(),
            occasion: None,
            nth: 0,
            operation: None,
            authorization: record::authorization(&call.headers)
                .or_else(|| call.token.as_ref().map(|token| format!("Bearer {token}"))),
            prefer: call.prefer(),
            client_request_id: call.client_request_id(),
            request_id: context.request_id.clone(),
            status: None,
            fault: None,
            refused: false,
            body: call.body.clone(),
            user_agent: record::text(&call.headers, &USER_AGENT),
            token: call.token.as_ref().map(|token| self.tokens.label(token)),
            batch: None,
            origin: Origin::Service,
        }
    }

    /// Answers a request, and records it; what the fault does to the connection is left to the
    /// caller.
    pub(super) fn call(&mut self, mut call: Call) -> (Answer, Option<Fault>) {
        call.at = self.clock(call.at);
        let (version, segments) = path::parse(call.uri.path());
        let request_id = self.request_id();
        let context = self.context(&call, version, request_id);
        let mut recorded = self.recorded(&call, call.at, &context);
        let mut answer = if version.is_none() {
            context.bad_request("Invalid version.")
        } else if call.token.is_none() && !self.options.anonymous {
            context.unauthorized("Access token is empty.")
        } else if let [only] = segments.as_slice()
            && only.eq_ignore_ascii_case(batch::SEGMENT)
        {
            self.batch(&call, &context, &mut recorded)
        } else {
            self.answer(&call, &segments, &context, &mut recorded)
        };
        if let Some(fault) = &recorded.fault {
            answer.spoil(fault);
        }
        context.label(&mut answer, &call);
        let fault = recorded.fault.clone();
        recorded.status = (fault != Some(Fault::Close)).then(|| answer.status.as_u16());
        self.requests.push(recorded);
        self.requests.append(&mut self.items);
        (answer, fault)
    }

    /// Answers one request, alone or inside a batch.
    pub(super) fn answer(
        &mut self,
        call: &Call,
        segments: &[String],
        context: &Context,
        recorded: &mut Recorded,
    ) -> Answer {
        let app = call.token.as_deref().map(token::app).unwrap_or_default();
        let team = match segments {
            [teams, team, ..] if teams.eq_ignore_ascii_case("teams") => Some(team.as_str()),
            _ => None,
        };
        let route = routes::route(&call.method, segments);
        recorded.occasion = match &route {
            Ok(Route::Start { .. }) => Some(Occasion::Start),
            Ok(Route::Check { .. }) => Some(Occasion::Check),
            Ok(Route::Read(_)) => Some(Occasion::Target),
            _ => None,
        };
        if let Err(wait) = self.throttle.admit(&app, team, call.at) {
            recorded.refused = true;
            return context.throttled(&whole_seconds(wait));
        }
        if let Some(replayed) = self.tape.play(&call.method, segments, &self.origin) {
            if let Ok(Route::Check { operation, .. }) = route {
                recorded.nth = self.count(Occasion::Check, &operation);
                recorded.operation = Some(operation);
            }
            return replayed;
        }
        match route {
            Ok(Route::Start { kind, ids, base }) => {
                self.start((kind, &ids, &base), call, context, recorded)
            }
            Ok(Route::Check { home, operation }) => {
                self.check(&home, &operation, call, context, recorded)
            }
            Ok(Route::Operations(home)) => self.operations_of(&home, call, context),
            Ok(Route::Read(identity)) => self.read(&identity, call, context, recorded),
            Ok(Route::List(collection)) => self.list(&collection, call, context),
            Ok(Route::Create(collection)) => self.create(&collection, call, context),
            Ok(Route::MakeTeam(group)) => self.make_team(&group, call, context),
            Ok(Route::Update(identity)) => self.update(&identity, call, context),
            Ok(Route::Delete(identity)) => self.delete(&identity, call, context),
            Err(Refusal::Method) => context.method_not_allowed(),
            Err(Refusal::Path(segment)) => {
                let message = format!("Resource not found for the segment '{segment}'.");
                context.bad_request(&message)
            }
        }
    }

    fn check(
        &mut self,
        home: &str,
        id: &str,
        call: &Call,
        context: &Context,
        recorded: &mut Recorded,
    ) -> Answer {
        let identity = operation::identity(home, id);
        recorded.nth = self.count(Occasion::Check, &identity);
        let root = self.root(context.version);
        let known = self.operations.get(&identity);
        let known = known.filter(|operation| operation.kind.family() != Family::Drive);
        let Some((keys, salt)) = known.map(|operation| (operation.keys.clone(), operation.salt))
        else {
            recorded.operation = Some(id.to_owned());
            return context.no_workflow();
        };
        let behaviour = self.behaviour(&keys);
        recorded.draw(&behaviour, Occasion::Check, &identity, salt);
        let Some(operation) = self.operations.get_mut(&identity) else {
            return context.no_workflow();
        };
        recorded.operation = Some(operation.id().to_owned());
        operation.checked(call.at);
        if let Some(fault) = &recorded.fault {
            operation.tally.faults += 1;
            if let Some(answer) = context.outage(fault, call, &self.foreign_origin) {
                return answer;
            }
        }
        if !operation.is_addressed_by(call) {
            return context.bad_request("The query of the operation's address is missing.");
        }
        let seen = recorded.fault.as_ref().is_none_or(Fault::is_truthful);
        let view = operation.look(call.at, seen);
        if view.stage == Stage::Going(Phase::Missing) {
            return context.no_workflow();
        }
        let mut document = documents::operation(operation, &view, &root, call.wants_all_members());
        if let Some(names) = call.selected() {
            document.select(&names);
        }
        Answer::json(StatusCode::OK, document.write())
    }

    /// Counts a request, and returns its number among those of its kind.
    pub(super) fn count(&mut self, occasion: Occasion, subject: &str) -> u64 {
        let count = self.counts.entry((occasion, subject.to_owned())).or_default();
        *count += 1;
        *count
    }

    /// The salt for this subject's random faults.
    pub(super) fn salt(&self, subject: &str) -> u64 {
        ids::hash(subject) ^ ids::mix(self.options.seed)
    }

    /// The behaviour for these keys. An earlier key takes precedence over a later one, and all of
    /// them over the default.
    pub(super) fn behaviour(&self, keys: &[String]) -> Behaviour {
        self.behaviour_of(keys).or(&self.options.default)
    }

    pub(super) fn behaviour_of(&self, keys: &[String]) -> Behaviour {
        let set = keys.iter().filter_map(|key| self.options.by_key.get(&key.to_lowercase()));
        set.fold(Behaviour::default(), Behaviour::or)
    }

    /// Changes the behaviour for a key, and restarts the operation with that id if its life
    /// changes.
    pub(super) fn set_behaviour(&mut self, key: &str, behaviour: Behaviour, now: Instant) {
        let lives = behaviour.life.is_some();
        let entry = self.options.by_key.entry(key.to_lowercase()).or_default();
        *entry = behaviour.or(entry);
        if lives {
            self.restart(key, self.clock(now));
        }
    }

    pub(super) fn root(&self, version: Version) -> String {
        format!("{}/{}", self.origin, version.segment())
    }
}
