//! Envoy with `ext_authz`, over gRPC and over HTTP.

use std::process::Command;

use m2m_testkit::peers;

use super::stage::Stage;
use super::{fails_closed, holds};

async fn stage(name: &str) -> Option<Stage> {
    let home = peers::fetched("envoy", "venv/bin/envoy")?;
    let mut stage = Stage::before("envoy").await;
    let configuration =
        stage.file("envoy.yaml", &stage.documented(name).replace("timeout: 2s", "timeout: 1s"));
    let mut command = Command::new(home.join("venv/bin/envoy"));
    command.arg("-c").arg(configuration).args([
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "--log-level",
        "warning",
    ]);
    stage.proxy(command).await;
    Some(stage)
}

#[tokio::test]
async fn envoy_lets_in_over_grpc_whom_the_gateway_lets_in() {
    let Some(stage) = stage("envoy-grpc.yaml").await else { return };
    holds(&stage).await;
}

#[tokio::test]
async fn envoy_lets_nobody_in_without_an_answer_over_grpc() {
    let Some(mut stage) = stage("envoy-grpc.yaml").await else { return };
    fails_closed(&mut stage).await;
}

#[tokio::test]
async fn envoy_lets_in_over_http_whom_the_gateway_lets_in() {
    let Some(stage) = stage("envoy-http.yaml").await else { return };
    holds(&stage).await;
}

#[tokio::test]
async fn envoy_lets_nobody_in_without_an_answer_over_http() {
    let Some(mut stage) = stage("envoy-http.yaml").await else { return };
    fails_closed(&mut stage).await;
}
