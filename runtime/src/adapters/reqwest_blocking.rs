//! The adapter for reqwest's blocking client.

use ::reqwest::blocking as http_client;
use bytes::Bytes;
use http::{Request, Response};

use super::body::{check_origin, read};
use super::reqwest::head_of;
use crate::protocol::Answer;
use crate::{Result, TimeLeft};

/// Sends a request and reads its response, as [`reqwest::send`](crate::reqwest::send) does.
///
/// # Errors
///
/// Those of [`reqwest::send`](crate::reqwest::send).
pub fn send(client: &http_client::Client, request: Request<Bytes>) -> Result<Response<Bytes>> {
    let asked = request.uri().clone();
    let time_left = TimeLeft::of(&request);
    let mut request: http_client::Request = request.try_into()?;
    *request.timeout_mut() = Some(time_left);
    let response = client.execute(request)?;
    check_origin(&asked, response.url().as_str())?;
    collect(response)
}

fn collect(response: http_client::Response) -> Result<Response<Bytes>> {
    let head = head_of!(response);
    let body = read(response)?;
    Ok(head.map(|()| body))
}

impl crate::blocking::Response for http_client::Response {
    fn into_answer(self) -> Result<Answer> {
        let url = self.url().as_str().parse().ok();
        let response = if self.status() == http::StatusCode::ACCEPTED {
            // The operation runs: no trouble with a body that says nothing may lose it.
            head_of!(self).map(|()| Bytes::new())
        } else {
            collect(self)?
        };
        Ok(Answer::from(response).with_url(url))
    }
}
