//! Caddy with `forward_auth`.

use std::process::Command;

use m2m_testkit::peers;

use super::stage::Stage;
use super::{fails_closed, holds};

async fn stage() -> Option<Stage> {
    let program = peers::installed("caddy", &["caddy", "/usr/bin/caddy"])?;
    let mut stage = Stage::before("caddy").await;
    let site = stage.documented("Caddyfile");
    // What the documentation leaves to Caddy: here a silent gateway must not hold up the test.
    let site = site.replace(
        "uri /auth\n",
        "uri /auth\n\t\t\ttransport http {\n\t\t\t\tresponse_header_timeout 1s\n\t\t\t}\n",
    );
    let options = "{\n\tadmin off\n\tauto_https off\n}\n";
    let configuration = stage.file("Caddyfile", &format!("{options}{site}"));
    let mut command = Command::new(program);
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(configuration);
    command.env("HOME", stage.directory.path()).env("XDG_DATA_HOME", stage.directory.path());
    stage.proxy(command).await;
    Some(stage)
}

#[tokio::test]
async fn caddy_lets_in_whom_the_gateway_lets_in() {
    let Some(stage) = stage().await else { return };
    holds(&stage).await;
}

#[tokio::test]
async fn caddy_lets_nobody_in_without_an_answer() {
    let Some(mut stage) = stage().await else { return };
    fails_closed(&mut stage).await;
}
