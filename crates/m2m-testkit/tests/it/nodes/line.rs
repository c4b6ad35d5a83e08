//! The network between a node and its database, which can fall silent: nothing arrives any more, and nobody is told.

use std::sync::Arc;

use m2m_io::task::Tasks;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

/// What the line does with what it carries.
#[derive(Clone, Copy, Debug, Default)]
struct Condition {
    /// How often it fell silent. What was connected before is silent for good.
    silences: u64,
    /// Whether it is silent now.
    silent: bool,
}

/// What happens when these bytes come from the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum On {
    /// They pass.
    Nothing,
    /// The connection is cut.
    Cut(&'static str),
    /// The whole line falls silent, before they pass.
    Silence(&'static str),
}

/// A way to a database through this process. It ends when dropped.
pub(crate) struct Line {
    url: String,
    condition: Arc<watch::Sender<Condition>>,
    tasks: Tasks,
}

impl Line {
    /// A line to the database at `url`.
    pub(crate) async fn to(url: &str, on: On) -> Self {
        let (before, after) = url.split_once('@').unwrap();
        let (address, name) = after.split_once('/').unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let condition = Arc::new(watch::Sender::new(Condition::default()));
        let line = Self {
            url: format!("{before}@{own}/{name}"),
            condition: Arc::clone(&condition),
            tasks: Tasks::new(),
        };
        let (address, tasks) = (address.to_owned(), line.tasks.clone());
        line.tasks.spawn("line", async move {
            while let Ok((node, _)) = listener.accept().await {
                let (address, condition) = (address.clone(), Arc::clone(&condition));
                tasks.spawn("connection", carry(node, address, condition, on));
            }
        });
        line
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.condition.borrow().silent
    }

    /// New connections work; what was connected stays silent.
    pub(crate) fn heal(&self) {
        self.condition.send_modify(|condition| condition.silent = false);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let tasks = self.tasks.clone();
        // Asks all of them to stop; they do so at their next step.
        drop(m2m_io::task::spawn_detached("end of a line", async move { tasks.shutdown().await }));
    }
}

fn fall_silent(condition: &watch::Sender<Condition>) {
    condition.send_modify(|condition| {
        condition.silences += 1;
        condition.silent = true;
    });
}

async fn carry(node: TcpStream, address: String, condition: Arc<watch::Sender<Condition>>, on: On) {
    let Condition { silences, silent } = *condition.borrow();
    if silent {
        std::future::pending::<()>().await;
    }
    let Ok(database) = TcpStream::connect(address).await else { return };
    let (mut from_node, mut to_node) = node.into_split();
    let (mut from_database, mut to_database) = database.into_split();
    tokio::select! {
        biased;
        // The halves are kept: nobody learns that the other is gone.
        () = silenced(&condition, silences) => std::future::pending().await,
        () = pump(&mut from_node, &mut to_database, on, &condition) => {}
        () = pump(&mut from_database, &mut to_node, On::Nothing, &condition) => {}
    }
}

async fn silenced(condition: &watch::Sender<Condition>, before: u64) {
    let mut seen = condition.subscribe();
    let _gone = seen.wait_for(|condition| condition.silences > before).await;
}

async fn pump(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    on: On,
    condition: &watch::Sender<Condition>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let carried = &bytes[..count];
        let says = |text: &str| carried.windows(text.len()).any(|window| window == text.as_bytes());
        match on {
            On::Cut(text) if says(text) => return,
            On::Silence(text) if !condition.borrow().silent && says(text) => {
                fall_silent(condition);
                std::future::pending::<()>().await;
            }
            _ => {}
        }
        if to.write_all(carried).await.is_err() {
            return;
        }
    }
}
