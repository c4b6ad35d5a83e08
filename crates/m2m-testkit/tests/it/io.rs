//! The default HTTP client against real TLS and a real environment.

mod environment;
mod tls;

use bytes::Bytes;
use http::{Request, Response};
use m2m_io::reqwest::{ProxyFrom, ReqwestHttpBuilder};
use m2m_io::{HttpClient, HttpError, Limits, ReqwestHttp};

fn direct() -> ReqwestHttpBuilder {
    ReqwestHttp::builder().proxy(ProxyFrom::Nowhere)
}

async fn get(http: &dyn HttpClient, url: &str) -> Result<Response<Bytes>, HttpError> {
    http.send(Request::get(url).body(Bytes::new()).unwrap(), &Limits::default()).await
}
