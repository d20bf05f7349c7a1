//! The connections to a Redis server: one for commands, one for subscriptions.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, ProtocolVersion,
    PushInfo, PushKind, RedisConnectionInfo, RedisError, Value,
};
use tokio::task::AbortHandle;

use crate::backplane::address::Address;
use crate::backplane::queue::Queue;
use crate::backplane::{BackplaneError, Interest, tls};

use super::RedisOptions;
use super::name::Name;
use super::publisher::Publisher;

/// Commands that the client queues.
const PIPELINE_CAPACITY: usize = 64;

pub(super) struct Connection {
    pub(super) server: Address,
    pub(super) queue: Arc<Queue>,
    commands: MultiplexedConnection,
    publisher: Publisher,
    /// Locked while the server confirms, so that what it knows is what is here.
    subscriptions: tokio::sync::Mutex<Subscriptions>,
    pings: AbortHandle,
}

struct Subscriptions {
    connection: MultiplexedConnection,
    names: HashMap<Interest, Vec<Name>>,
}

impl Connection {
    pub(super) async fn open(
        options: &RedisOptions,
        server: &Address,
        database: i64,
    ) -> Result<Self, BackplaneError> {
        let failed = |why: String| {
            BackplaneError::new(format!("cannot connect to the Redis server at {server}: {why}"))
        };
        let client = client(server, database).map_err(|error| failed(reason(&error)))?;
        let queue = Queue::new(options.max_waiting_messages, options.max_waiting_bytes);
        let receiver = Arc::clone(&queue);
        let lost = format!("the connection to the Redis server at {server} was lost");
        let push = move |info: PushInfo| {
            receive(&receiver, info, &lost);
            Ok::<_, ()>(())
        };
        let common = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(options.connect_timeout))
            .set_response_timeout(Some(options.request_timeout))
            .set_pipeline_buffer_size(PIPELINE_CAPACITY);
        // Both are lost together, and for commands alone no message is pushed.
        let both = async {
            let commands = common.clone().set_push_sender(push.clone());
            let commands = client.get_multiplexed_async_connection_with_config(&commands).await?;
            let subscriptions = common.set_push_sender(push);
            let mut subscriptions =
                client.get_multiplexed_async_connection_with_config(&subscriptions).await?;
            ask(&mut subscriptions).await?;
            Ok((commands, subscriptions))
        };
        let (commands, subscriptions) = match tokio::time::timeout(options.connect_timeout, both).await {
            Ok(Ok(connections)) => connections,
            Ok(Err(error)) => return Err(failed(reason(&error))),
            Err(_) => return Err(failed(format!("no answer within {:?}", options.connect_timeout))),
        };
        let publisher = Publisher::start(commands.clone(), Arc::clone(&queue), options.max_unsent_bytes);
        let pings = tokio::spawn(ping(
            [commands.clone(), subscriptions.clone()],
            Arc::clone(&queue),
            options.ping_interval,
            format!("the Redis server at {server} has stopped answering"),
        ));
        Ok(Self {
            server: server.clone(),
            queue,
            commands,
            publisher,
            subscriptions: tokio::sync::Mutex::new(Subscriptions {
                connection: subscriptions,
                names: HashMap::new(),
            }),
            pings: pings.abort_handle(),
        })
    }

    /// Subscribes; the server's answer is its confirmation.
    pub(super) async fn subscribe(
        &self,
        interest: &Interest,
        names: Vec<Name>,
    ) -> Result<(), BackplaneError> {
        let work = async {
            let mut subscriptions = self.subscriptions.lock().await;
            // Before the first await, so that a dropped future leaves nothing behind that is not known.
            subscriptions.names.insert(interest.clone(), names.clone());
            for name in names {
                let (command, name) = match name {
                    Name::Plain(name) => ("SUBSCRIBE", name),
                    Name::Sharded(name) => ("SSUBSCRIBE", name),
                    Name::Pattern(name) => ("PSUBSCRIBE", name),
                };
                self.run(&mut subscriptions.connection, redis::cmd(command).arg(name), "subscribe").await?;
            }
            Ok(())
        };
        self.queue.unless_closed(work).await
    }

    pub(super) async fn unsubscribe(&self, interest: &Interest) -> Result<(), BackplaneError> {
        let work = async {
            let mut subscriptions = self.subscriptions.lock().await;
            let names = subscriptions.names.remove(interest).unwrap_or_default();
            for name in names {
                // `a/+` and `a/#` have a pattern in common.
                if subscriptions.names.values().flatten().any(|other| *other == name) {
                    continue;
                }
                let (command, name) = match name {
                    Name::Plain(name) => ("UNSUBSCRIBE", name),
                    Name::Sharded(name) => ("SUNSUBSCRIBE", name),
                    Name::Pattern(name) => ("PUNSUBSCRIBE", name),
                };
                self.run(&mut subscriptions.connection, redis::cmd(command).arg(name), "unsubscribe").await?;
            }
            Ok(())
        };
        self.queue.unless_closed(work).await
    }

    pub(super) async fn publish(&self, names: Vec<Name>, payload: Bytes) -> Result<(), BackplaneError> {
        self.queue.unless_closed(self.publisher.publish(names, payload)).await
    }

    /// Runs a script.
    pub(super) async fn invoke(
        &self,
        invocation: &redis::ScriptInvocation<'_>,
        what: &str,
    ) -> Result<Value, BackplaneError> {
        let mut commands = self.commands.clone();
        let work = async {
            invocation.invoke_async(&mut commands).await.map_err(|error| match error.code() {
                Some(code) if REFUSALS.contains(&code) => {
                    BackplaneError::refused(format!("{}: {error}", self.failed(what)))
                }
                _ => self.failed(what).caused_by(error),
            })
        };
        self.queue.unless_closed(work).await
    }

    async fn run(
        &self,
        connection: &mut MultiplexedConnection,
        command: &Cmd,
        what: &str,
    ) -> Result<(), BackplaneError> {
        let result: Result<Value, _> = command.query_async(connection).await;
        result.map(drop).map_err(|error| self.failed(what).caused_by(error))
    }

    pub(super) fn failed(&self, what: &str) -> BackplaneError {
        BackplaneError::new(format!("cannot {what} with the Redis server at {}", self.server))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.pings.abort();
        self.queue.close("the connection to Redis has ended");
    }
}

/// Errors of a script while the connection is good, and before which it has written nothing: no memory, no disk to write to, too few
/// replicas.
const REFUSALS: [&str; 3] = ["OOM", "MISCONF", "NOREPLICAS"];

fn client(server: &Address, database: i64) -> Result<Client, RedisError> {
    let (host, port) = (server.host.clone(), server.port);
    #[cfg(feature = "backplane-tls")]
    let address = if server.tls {
        // If there is one already, that one counts.
        let _ = rustls::crypto::ring::default_provider().install_default();
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    #[cfg(not(feature = "backplane-tls"))]
    let address = ConnectionAddr::Tcp(host, port);
    let mut settings = RedisConnectionInfo::default().set_db(database).set_protocol(ProtocolVersion::RESP3);
    if let Some(user) = &server.user {
        settings = settings.set_username(user);
    }
    if let Some(password) = &server.password {
        settings = settings.set_password(password);
    }
    Client::open(address.into_connection_info()?.set_redis_settings(settings))
}

/// Errors unless the server has sharded channels: Redis 7 does.
async fn ask(connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    let known: Value = redis::cmd("COMMAND").arg("INFO").arg("SSUBSCRIBE").query_async(connection).await?;
    match known {
        Value::Array(commands) if commands.iter().all(|command| *command == Value::Nil) => {
            Err((ErrorKind::InvalidClientConfig, "it is older than Redis 7").into())
        }
        _ => Ok(()),
    }
}

/// The reason of a failed attempt in one line.
fn reason(error: &RedisError) -> String {
    match error.kind() {
        _ if error.is_timeout() => "no answer in time".into(),
        ErrorKind::Io => {
            let cause = error.to_string();
            let advice = tls::advice(&cause).unwrap_or("start redis-server there, or set another address");
            format!("{cause}; {advice}")
        }
        ErrorKind::AuthenticationFailed => wrong_password(),
        _ if matches!(error.code(), Some("NOAUTH" | "WRONGPASS")) => wrong_password(),
        _ => error.to_string(),
    }
}

fn wrong_password() -> String {
    "it refuses user and password: set them in the URL".into()
}

fn receive(queue: &Queue, info: PushInfo, lost: &str) {
    match info.kind {
        PushKind::Message | PushKind::PMessage | PushKind::SMessage => {
            if let Some(Value::BulkString(payload)) = info.data.into_iter().next_back() {
                queue.push(Bytes::from(payload));
            }
        }
        PushKind::Disconnection => queue.close(lost),
        _ => {}
    }
}

/// Finds out that the server does not answer any more.
async fn ping(
    mut connections: [MultiplexedConnection; 2],
    queue: Arc<Queue>,
    interval: Duration,
    what: String,
) {
    loop {
        tokio::time::sleep(interval).await;
        for connection in &mut connections {
            let answer: Result<Value, _> = redis::cmd("PING").query_async(connection).await;
            if let Err(error) = answer {
                return queue.close(&format!("{what}: {error}"));
            }
        }
    }
}
