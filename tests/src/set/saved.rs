//! A set beside its twin that is saved and restored, driven by arbitrary bytes.

use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::protocol::{
    Envelope, Poller, Reason, Received, Report, SavedSet, Set, SetStep, Start, Started,
};
use graph_operation::{Error, Polling, TeamsAsyncOperation};
use http::{Request, Response, StatusCode, Uri};
use serde_json::{Value, json};

use super::Input;

const STATUSES: [u16; 12] = [200, 200, 200, 200, 200, 401, 404, 400, 429, 503, 500, 424];
const OF_STARTS: [u16; 8] = [202, 202, 202, 202, 429, 500, 401, 403];

/// A set, and its twin that is saved and restored.
struct Twins {
    kept: Set<u8>,
    restored: Set<u8>,
}

/// What both said, and what they sent.
#[derive(Debug, PartialEq)]
enum Plain {
    Wait(Duration, Reason),
    Pending,
    Send(String, Option<Duration>),
    Event(String),
    Done,
}

fn text(error: &Error) -> String {
    format!("{:?} {error}", error.kind())
}

fn plain(step: SetStep<'_, u8>) -> (Plain, Option<(Request<Bytes>, Envelope)>) {
    let said = match step {
        SetStep::Wait(wait, why) => Plain::Wait(wait, why),
        SetStep::Pending => Plain::Pending,
        SetStep::Send(dispatch) => {
            let time_left = dispatch.time_left();
            let (request, envelope) = dispatch.request();
            let said = format!("{} {} {:?}", request.method(), request.uri(), request.body());
            return (Plain::Send(said, time_left), Some((request, envelope)));
        }
        SetStep::Event(report) => Plain::Event(match report {
            Report::RetryingStart(key, error) => format!("{key} is retried {}", text(&error)),
            Report::Started(key) => format!("{key} was started"),
            Report::Checked(key, fault) => format!("{key} {:?}", fault.as_ref().map(text)),
            Report::Ended(key, Ok(poller)) => {
                format!("{key} {}", serde_json::to_string(&poller.save()).expect("plain data"))
            }
            Report::Ended(key, Err(error)) => format!("{key} {}", text(&error)),
            _ => String::new(),
        }),
        SetStep::Done => Plain::Done,
        SetStep::Start(ticket) => unreachable!("{ticket:?}: the set sends all starts"),
    };
    (said, None)
}

/// Writes a set as text, and restores it from that. The restored set is saved as the same text.
///
/// # Panics
///
/// If that fails.
#[must_use]
pub fn reread(set: &Set<u8>, root: Uri, now: Instant) -> Set<u8> {
    let saved = set.save();
    let written = serde_json::to_string(&saved).expect("plain data");
    let read: SavedSet<u8> = serde_json::from_str(&written).expect("its own text");
    assert_eq!(read, saved);
    let restored = Set::restore::<TeamsAsyncOperation>(read, root, now).expect("it");
    assert!(serde_json::to_string(&restored.save()).expect("plain data") == written, "{set:?}");
    restored
}

impl Twins {
    fn each<T: PartialEq + std::fmt::Debug>(&mut self, act: impl Fn(&mut Set<u8>) -> T) -> T {
        let one = act(&mut self.kept);
        assert_eq!(act(&mut self.restored), one, "{:?}", self.kept);
        one
    }
}

/// The response to a request of these items, the last one first.
fn response(input: &mut Input<'_>, request: &Request<Bytes>) -> Response<Bytes> {
    let batch = request.uri().path().ends_with("/$batch");
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let own = json!([{ "id": "1", "method": request.method().as_str(),
        "url": request.uri().path().trim_start_matches("/v1.0") }]);
    let items = if batch { body["requests"].clone() } else { own };
    let mut responses = Vec::new();
    for item in items.as_array().into_iter().flatten().rev() {
        let team = item["url"].as_str().and_then(|url| url.split('/').nth(2)).unwrap_or_default();
        let location = format!("/teams('{team}')/operations('{team}')");
        responses.push(if item["method"] == "POST" {
            let status = OF_STARTS[usize::from(input.byte()) % OF_STARTS.len()];
            json!({ "id": item["id"], "status": status, "headers": { "Location": location } })
        } else {
            let status = STATUSES[usize::from(input.byte()) % STATUSES.len()];
            let wait = if status == 429 { json!({ "Retry-After": "7" }) } else { json!({}) };
            json!({ "id": item["id"], "status": status, "headers": wait, "body": input.document() })
        });
    }
    let (whole, body) = if batch {
        (STATUSES[usize::from(input.byte()).saturating_sub(244)], json!({ "responses": responses }))
    } else {
        let status = responses[0]["status"].as_u64().and_then(|status| status.try_into().ok());
        (status.unwrap_or_default(), responses[0]["body"].clone())
    };
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(whole).unwrap_or_default();
    if let Some(location) = responses[0]["headers"]["Location"].as_str().filter(|_| !batch) {
        response.headers_mut().insert("location", location.parse().expect("a header"));
    }
    response
}

/// Drives both through whatever the bytes say.
///
/// # Panics
///
/// If the one that is saved and restored behaves differently from the one that is not.
pub fn drive(bytes: &[u8]) {
    let mut input = Input(bytes);
    let root = Uri::from_static("https://graph.microsoft.com/v1.0");
    let mut now = Instant::now();
    let (seed, rate) = (input.byte().into(), 1 + u32::from(input.byte() % 10));
    let new = || {
        let mut set = Set::new::<TeamsAsyncOperation>(root.clone(), now, seed);
        set.set_rate(rate);
        set
    };
    let mut twins = Twins { kept: new(), restored: new() };
    let mut under_way: Vec<(Request<Bytes>, Envelope, Envelope)> = Vec::new();
    while !input.0.is_empty() {
        let added = if input.byte() % 16 == 0 { input.byte() % 16 } else { 0 };
        for _ in 0..added {
            let key = input.byte() % 64;
            let polling = Polling::default().no_timeout();
            if input.byte() % 4 == 0 {
                let request = Request::post(format!("{root}/teams/{key}/archive"));
                let request = request.body(Bytes::new()).expect("a request");
                let idempotent = key % 2 == 0;
                twins.each(|set| {
                    let request = request.clone();
                    let start = Start::new::<TeamsAsyncOperation>(
                        &root, request, idempotent, polling, now, 7,
                    );
                    set.queue_request(key, start.expect("of this origin")).is_ok()
                });
            } else {
                let version = if key % 3 == 0 { "beta" } else { "v1.0" };
                let at = format!("/{version}/teams('{}')/operations('{key}')", key % 4);
                let at: Uri = format!("https://graph.microsoft.com{at}").parse().expect("a URI");
                twins.each(|set| {
                    let started = Started::at(at.clone());
                    let poller = Poller::new::<TeamsAsyncOperation>(started, polling, now, 7);
                    set.insert(key, poller, now).is_ok()
                });
            }
        }
        if input.byte() % 8 == 0 {
            now += Duration::from_millis(u64::from(input.byte()) * 40);
        }
        let (one, sent) = plain(twins.kept.next(now));
        let (other, twin) = plain(twins.restored.next(now));
        assert_eq!(other, one, "{:?}", twins.kept);
        if let Some(((request, envelope), (_, twin))) = sent.zip(twin) {
            under_way.push((request, envelope, twin));
        }
        let pause = match one {
            Plain::Wait(pause, _) => pause,
            Plain::Pending | Plain::Done => Duration::ZERO,
            Plain::Send(..) if input.byte() % 4 > 0 => Duration::ZERO,
            Plain::Send(..) | Plain::Event(_) => continue,
        };
        if under_way.is_empty() {
            if input.byte() % 2 == 0 {
                let [kept, restored] = [&twins.kept, &twins.restored]
                    .map(|set| serde_json::to_string(&set.save()).expect("plain data"));
                assert_eq!(restored, kept);
                twins.restored = reread(&twins.restored, root.clone(), twins.kept.latest());
            }
            match input.byte() % 8 {
                0 => twins.each(Set::waited),
                1 => now += pause / 2,
                _ => now += pause,
            }
            continue;
        }
        let at = usize::from(input.byte()) % under_way.len();
        let (request, envelope, twin) = under_way.swap_remove(at);
        match input.byte() % 32 {
            0 => drop((envelope, twin)),
            1 => {
                let error = Error::transport("connection reset");
                twins.kept.failed(envelope, &error, now);
                twins.restored.failed(twin, &error, now);
            }
            2 => {
                twins.kept.unsent(envelope, now);
                twins.restored.unsent(twin, now);
            }
            _ => {
                let response = response(&mut input, &request);
                let renewed = input.byte() % 2 == 0;
                for (set, envelope) in [(&mut twins.kept, envelope), (&mut twins.restored, twin)] {
                    if let Received::Unauthorized(envelope, response) =
                        set.received(envelope, response.clone(), now)
                    {
                        set.authorized(envelope, &response, renewed, now);
                    }
                }
            }
        }
    }
}
