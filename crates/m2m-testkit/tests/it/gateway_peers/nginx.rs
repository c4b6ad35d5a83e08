//! nginx with `auth_request`.

use std::path::{Path, PathBuf};
use std::process::Command;

use m2m_testkit::peers;

use super::stage::Stage;
use super::{fails_closed, holds};

async fn stage() -> Option<Stage> {
    let program = peers::installed("nginx", &["nginx", "/usr/sbin/nginx"])?;
    let mut stage = Stage::before("nginx").await;
    let server = stage.documented("nginx.conf").replace("proxy_read_timeout 5s", "proxy_read_timeout 1s");
    let home = stage.directory.path().to_owned();
    let configuration = stage.file("nginx.conf", &whole(&server, &home));
    let mut command = Command::new(program);
    command.arg("-e").arg(home.join("error.log")).arg("-p").arg(&home).arg("-c").arg(configuration);
    stage.proxy(command).await;
    Some(stage)
}

/// The block of the documentation in a configuration that needs no rights and leaves nothing behind.
fn whole(server: &str, home: &Path) -> String {
    let place = |name: &str| -> PathBuf { home.join(name) };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {};\n", place(name).display()))
        .concat();
    format!(
        "daemon off;\nmaster_process off;\npid {};\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}{server}}}\n",
        place("nginx.pid").display()
    )
}

#[tokio::test]
async fn nginx_lets_in_whom_the_gateway_lets_in() {
    let Some(stage) = stage().await else { return };
    holds(&stage).await;
}

#[tokio::test]
async fn nginx_lets_nobody_in_without_an_answer() {
    let Some(mut stage) = stage().await else { return };
    fails_closed(&mut stage).await;
}
