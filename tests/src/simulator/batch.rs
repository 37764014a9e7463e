//! `$batch`: up to twenty requests in one, each answered as if it had come alone.
//!
//! The rules are those of <https://learn.microsoft.com/graph/json-batching>: an error in the form
//! of the envelope refuses all of it with 400, and an error in a request shows in its own response.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header::CONTENT_TYPE,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    answer::Answer,
    context::{Call, Context},
    fault::Fault,
    ids, path,
    plan::Occasion,
    record::{BatchItem, Recorded},
    service::Service,
};

/// The last segment of an envelope's path.
pub(super) const SEGMENT: &str = "$batch";
const LIMIT: usize = 20;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

#[derive(Deserialize)]
struct Envelope {
    requests: Vec<Written>,
}

/// A request as it is written in the envelope.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    body: Option<Box<RawValue>>,
    #[serde(default)]
    depends_on: Option<Vec<String>>,
    #[serde(default)]
    atomicity_group: Option<Box<RawValue>>,
}

/// A request of a well-formed envelope.
#[derive(Debug)]
struct Item {
    id: String,
    depends_on: Vec<String>,
    /// `None` if the URL cannot be read.
    call: Option<Call>,
}

#[derive(Serialize)]
struct Responses {
    responses: Vec<Response>,
}

#[derive(Clone, Serialize)]
struct Response {
    id: String,
    status: u16,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Body::is_absent")]
    body: Body,
}

#[derive(Clone, Serialize)]
#[serde(untagged)]
enum Body {
    Absent,
    Null,
    Json(Box<RawValue>),
    /// Anything but JSON, in base64.
    Text(String),
}

impl Body {
    fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl Service {
    /// Answers an envelope. The records of its items are kept in `self.items` until the envelope's
    /// own is written.
    pub(super) fn batch(
        &mut self,
        call: &Call,
        context: &Context,
        recorded: &mut Recorded,
    ) -> Answer {
        recorded.occasion = Some(Occasion::Batch);
        let subject = context.version.segment();
        recorded.nth = self.count(Occasion::Batch, subject);
        let behaviour = self.behaviour(&[]);
        recorded.draw(&behaviour, Occasion::Batch, subject, self.salt(subject));
        let fault = recorded.fault.as_ref();
        let outage = fault.and_then(|fault| context.outage(fault, call, &self.foreign_origin));
        if let Some(answer) = outage {
            return answer;
        }
        if call.method != Method::POST {
            return context.method_not_allowed();
        }
        if let Some(refusal) = context.unreadable(call) {
            return refusal;
        }
        let items = match read(call, context) {
            Ok(items) => items,
            Err(message) => {
                return context.error(StatusCode::BAD_REQUEST, "BadRequest", &message);
            }
        };
        let mut statuses: HashMap<String, StatusCode> = HashMap::new();
        let mut responses = Vec::with_capacity(items.len());
        let mut late = Duration::ZERO;
        let seed = self.salt(&context.request_id);
        for (item, position) in items.iter().zip(0..) {
            let failed = item.depends_on.iter().any(|on| {
                statuses.get(&on.to_lowercase()).is_none_or(|status| status.as_u16() >= 400)
            });
            let (answer, fault) = self.item(item, failed, context, recorded.at);
            statuses.insert(item.id.to_lowercase(), answer.status);
            let chance = ids::mix(seed ^ position);
            let mut response = respond(item.id.clone(), &answer, chance);
            match fault {
                // An item has no connection of its own that could be closed.
                Some(Fault::MissingItem | Fault::Close | Fault::Cut | Fault::EndlessBody) => {}
                Some(Fault::DoubledItem) => responses.extend([response.clone(), response]),
                Some(Fault::UnknownItem) => {
                    response.id = format!("{}-unknown", response.id);
                    responses.push(response);
                }
                Some(Fault::Slow(delay)) => {
                    late = late.max(delay);
                    responses.push(response);
                }
                _ => responses.push(response),
            }
        }
        shuffle(&mut responses, seed);
        if !late.is_zero() && recorded.fault.is_none() {
            recorded.fault = Some(Fault::Slow(late));
        }
        // Strings, numbers and JSON that was read before always serialize.
        let body = serde_json::to_string(&Responses { responses }).unwrap_or_default();
        let mut answer = Answer::json(StatusCode::OK, body);
        answer.headers.insert(CONTENT_TYPE, JSON);
        answer
    }

    /// Answers one request of an envelope, and records it. `failed` says that a request that it
    /// depends on has failed.
    fn item(
        &mut self,
        item: &Item,
        failed: bool,
        envelope: &Context,
        at: Instant,
    ) -> (Answer, Option<Fault>) {
        let Some(call) = &item.call else {
            return (envelope.bad_request("The URL of the request cannot be read."), None);
        };
        let (_, segments) = path::parse(call.uri.path());
        let context = self.context(call, Some(envelope.version), envelope.request_id.clone());
        let mut recorded = self.recorded(call, at, &context);
        recorded.batch = Some(BatchItem { envelope: self.requests.len(), id: item.id.clone() });
        let mut answer = if failed {
            let message = "The request was not carried out: one that it depends on has failed.";
            context.error(StatusCode::FAILED_DEPENDENCY, "FailedDependency", message)
        } else {
            self.item_answer(call, &segments, &context, &mut recorded)
        };
        if let Some(fault) = &recorded.fault {
            answer.spoil(fault);
        }
        context.label_item(&mut answer, call);
        recorded.status = Some(answer.status.as_u16());
        let fault = recorded.fault.clone();
        self.items.push(recorded);
        (answer, fault)
    }

    fn item_answer(
        &mut self,
        call: &Call,
        segments: &[String],
        context: &Context,
        recorded: &mut Recorded,
    ) -> Answer {
        let subject = format!("{} {}", call.method, call.uri.path());
        recorded.nth = self.count(Occasion::Item, &subject);
        let behaviour = self.behaviour(segments);
        recorded.draw(&behaviour, Occasion::Item, &subject, self.salt(&subject));
        self.answer(call, segments, context, recorded)
    }
}

/// Reads an envelope. Each of the items comes after those that it depends on.
fn read(call: &Call, context: &Context) -> Result<Vec<Item>, String> {
    let envelope: Envelope = serde_json::from_slice(&call.body)
        .map_err(|_| "Invalid batch payload format.".to_owned())?;
    if envelope.requests.is_empty() {
        return Err("Invalid batch payload format.".to_owned());
    }
    if envelope.requests.len() > LIMIT {
        return Err(format!("Number of batch request steps exceeds the maximum value of {LIMIT}."));
    }
    let mut items: Vec<Item> = Vec::with_capacity(envelope.requests.len());
    for written in envelope.requests {
        let item = item(written, call, context)?;
        if items.iter().any(|other| other.id.eq_ignore_ascii_case(&item.id)) {
            return Err(format!("Request id : {} has to be unique in a batch.", item.id));
        }
        items.push(item);
    }
    sort(items)
}

fn item(written: Written, envelope: &Call, context: &Context) -> Result<Item, String> {
    let id = written.id.filter(|id| !id.is_empty()).ok_or("Batch request id cannot be empty.")?;
    if written.atomicity_group.is_some() {
        return Err(format!("Request id : {id} has an atomicityGroup, which is not supported."));
    }
    let method = written.method.and_then(|method| method.to_uppercase().parse::<Method>().ok());
    let method = method.ok_or_else(|| format!("Request id : {id} has no valid method."))?;
    let url = written.url.ok_or_else(|| format!("Request id : {id} does not contain a URL."))?;
    let scheme = url.split(['/', '?']).next().is_some_and(|first| first.ends_with(':'));
    if scheme || url.starts_with("//") {
        return Err(format!("Request id : {id} has a URL that is not relative."));
    }
    let url = url.strip_prefix('/').unwrap_or(&url);
    let path = url.split('?').next().unwrap_or_default();
    if path.trim_end_matches('/').eq_ignore_ascii_case(SEGMENT) {
        return Err(format!("Request id : {id} is a batch; batches cannot be nested."));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in written.headers.unwrap_or_default() {
        let header = name.parse::<HeaderName>().ok().zip(value.parse::<HeaderValue>().ok());
        let (name, value) =
            header.ok_or_else(|| format!("Request id : {id} has an invalid header."))?;
        headers.append(name, value);
    }
    let writes = [Method::POST, Method::PUT, Method::PATCH].contains(&method);
    if writes && (written.body.is_none() || !headers.contains_key(CONTENT_TYPE)) {
        return Err(format!(
            "Write request id : {id} does not contain Content-Type header or body."
        ));
    }
    let body = written.body.map(|body| content(&headers, &body)).unwrap_or_default();
    let uri = format!("/{}/{url}", context.version.segment()).parse::<Uri>().ok();
    Ok(Item {
        call: uri.map(|uri| Call {
            uri,
            body,
            method,
            headers,
            at: envelope.at,
            token: envelope.token.clone(),
            is_batched: true,
        }),
        depends_on: written.depends_on.unwrap_or_default(),
        id,
    })
}

/// The bytes of an item's body: JSON as it is, anything else decoded from base64.
fn content(headers: &HeaderMap, body: &RawValue) -> Bytes {
    let is_json = super::context::is_json(headers);
    let text = serde_json::from_str::<String>(body.get()).ok().filter(|_| !is_json);
    let bytes = text.and_then(|text| STANDARD.decode(&text).ok().or(Some(text.into_bytes())));
    Bytes::from(bytes.unwrap_or_else(|| body.get().as_bytes().to_vec()))
}

/// Puts each item after those that it depends on, and refuses cycles and unknown ids.
fn sort(mut waiting: Vec<Item>) -> Result<Vec<Item>, String> {
    let mut sorted: Vec<Item> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = waiting.iter().position(|item| {
            item.depends_on
                .iter()
                .all(|on| sorted.iter().any(|done| done.id.eq_ignore_ascii_case(on)))
        });
        let index = ready.ok_or_else(|| {
            let id = &waiting[0].id;
            format!("Request id : {id} depends on a request that cannot be carried out before it.")
        })?;
        sorted.push(waiting.remove(index));
    }
    Ok(sorted)
}

/// An item's response. At random, its header names are in lower case, and a missing body is null.
/// `Content-Type` keeps its case, because Microsoft's own JavaScript client looks for exactly this
/// name.
fn respond(id: String, answer: &Answer, chance: u64) -> Response {
    let lower = chance & 1 == 0;
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &answer.headers {
        let lower = lower && name != CONTENT_TYPE;
        let name = if lower { name.as_str().to_owned() } else { title(name) };
        let value = String::from_utf8_lossy(value.as_bytes());
        headers
            .entry(name)
            .and_modify(|joined| {
                joined.push(',');
                joined.push_str(&value);
            })
            .or_insert_with(|| value.clone().into_owned());
    }
    let body = if answer.body.is_empty() {
        if chance & 2 == 0 { Body::Absent } else { Body::Null }
    } else {
        let json = super::context::is_json(&answer.headers)
            .then(|| serde_json::from_slice(&answer.body).ok())
            .flatten();
        json.map_or_else(|| Body::Text(STANDARD.encode(&answer.body)), Body::Json)
    };
    Response { id, status: answer.status.as_u16(), headers, body }
}

/// The usual form of a name: `Retry-After` for `retry-after`.
fn title(name: &HeaderName) -> String {
    let mut upper = true;
    let letters = name.as_str().chars().map(|letter| {
        let letter = if upper { letter.to_ascii_uppercase() } else { letter };
        upper = letter == '-';
        letter
    });
    letters.collect()
}

fn shuffle(responses: &mut [Response], seed: u64) {
    for last in (1..responses.len()).rev() {
        let chance = ids::mix(seed ^ ids::mix(last as u64)) % (last as u64 + 1);
        responses.swap(last, usize::try_from(chance).unwrap_or(last));
    }
}
