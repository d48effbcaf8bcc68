//! The local queue server: moto, which speaks the SQS protocol and forgets everything when it ends.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, bail};
use aws_sdk_sqs::{
    Client,
    config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig, retry::RetryConfig},
    types::QueueAttributeName,
};
use tokio::sync::{Mutex, mpsc};

use crate::{
    child::{GuardedChild, LineSink, LogFile},
    template::Queue,
    tool_env::ToolEnv,
};

/// Region of everything local.
pub const REGION: &str = "us-east-1";
/// Access key and secret of everything local.
pub const CREDENTIAL: &str = "local";

const START_LIMIT: Duration = Duration::from_secs(60);
const ANNOUNCEMENT: &str = "Running on http://127.0.0.1:";

/// A queue server with the queues of the template.
#[derive(Debug)]
pub struct QueueServer {
    python: PathBuf,
    log: LogFile,
    queues: Vec<Queue>,
    port: AtomicU16,
    child: Mutex<Option<GuardedChild>>,
    client: Client,
    urls: BTreeMap<String, String>,
}

impl QueueServer {
    /// Starts the server on a free port and creates the queues.
    pub async fn start(tools: &ToolEnv, queues: &[Queue], log_dir: &Path) -> Result<Self> {
        let python = tools.python();
        let log = LogFile::open(log_dir, "queue-server.log")?;
        let (child, port) = launch(&python, 0, &log).await?;
        let client = client(port)?;
        let urls = create_queues(&client, queues).await?;
        Ok(Self {
            python,
            log,
            queues: queues.to_vec(),
            port: AtomicU16::new(port),
            child: Mutex::new(Some(child)),
            client,
            urls,
        })
    }

    /// Where the server answers.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.load(Ordering::Relaxed))
    }

    /// A client of the server. It does not retry.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The URL of the queue with this name.
    pub fn queue_url(&self, name: &str) -> Option<&str> {
        self.urls.get(name).map(String::as_str)
    }

    /// URLs of all queues by name.
    pub fn queue_urls(&self) -> &BTreeMap<String, String> {
        &self.urls
    }

    /// Stops the server. Messages and queues are gone.
    pub async fn stop(&self) {
        if let Some(child) = self.child.lock().await.take() {
            child.stop().await;
        }
    }

    /// Starts the server again, with empty queues under the same URLs. Does nothing when it runs.
    pub async fn restart(&self) -> Result<()> {
        let mut slot = self.child.lock().await;
        if slot.as_mut().is_some_and(GuardedChild::is_running) {
            return Ok(());
        }
        let (child, _) = launch(&self.python, self.port.load(Ordering::Relaxed), &self.log).await?;
        *slot = Some(child);
        let urls = create_queues(&self.client, &self.queues).await?;
        if urls != self.urls {
            bail!("the queue server came back with other queue URLs");
        }
        Ok(())
    }
}

/// Starts moto and waits for the line in which its web server names its port.
///
/// With port 0 the system picks a free one, so servers of parallel tests cannot collide.
async fn launch(python: &Path, port: u16, log: &LogFile) -> Result<(GuardedChild, u16)> {
    let (announce, mut announced) = mpsc::unbounded_channel();
    let log = log.clone();
    let sink: LineSink = Arc::new(move |line: &str| {
        if let Some((_, port)) = line.split_once(ANNOUNCEMENT) {
            let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
            let _ = announce.send(digits.parse::<u16>().ok());
        }
        // One line per answered call would fill the disk with nothing.
        if !line.contains("\" 200 -") {
            log.write_line(line);
        }
    });
    let program = python.to_string_lossy().into_owned();
    let command = [&program, "-u", "-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()];
    let child = GuardedChild::spawn(python, &command, |_| {}, sink)?;
    // The channel also ends when the process does, for instance because its port is taken.
    match tokio::time::timeout(START_LIMIT, announced.recv()).await {
        Ok(Some(Some(port))) => Ok((child, port)),
        _ => {
            child.stop().await;
            bail!("The queue server did not start: see queue-server.log.")
        }
    }
}

fn client(port: u16) -> Result<Client> {
    let config = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new(CREDENTIAL, CREDENTIAL, None, None, "local"))
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .http_client(crate::aws_transport::aws_transport()?)
        .retry_config(RetryConfig::disabled())
        // Nothing comes for as long as a long poll waits.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    Ok(Client::from_conf(config))
}

/// Creates the queues in the template's order, which has dead-letter queues first.
async fn create_queues(client: &Client, queues: &[Queue]) -> Result<BTreeMap<String, String>> {
    let mut urls = BTreeMap::new();
    for queue in queues {
        let visibility = queue.visibility_timeout.as_secs().to_string();
        let mut request =
            client.create_queue().queue_name(&queue.name).attributes(QueueAttributeName::VisibilityTimeout, visibility);
        if let Some(dead_letter) = &queue.dead_letter {
            let policy = serde_json::json!({
                "deadLetterTargetArn": queue_arn(&dead_letter.queue),
                "maxReceiveCount": dead_letter.max_receive_count,
            });
            request = request.attributes(QueueAttributeName::RedrivePolicy, policy.to_string());
        }
        let answer = request.send().await.with_context(|| format!("cannot create the queue {}", queue.name))?;
        let url = answer.queue_url().with_context(|| format!("the queue {} has no URL", queue.name))?;
        urls.insert(queue.name.clone(), url.to_owned());
    }
    Ok(urls)
}

/// The ARN of a local queue. The account is the one that moto uses for everybody.
pub fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:123456789012:{name}")
}
