//! What Lambda's event source mapping does: moves messages from a queue to a function.

mod batch;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use aws_sdk_sqs::{
    Client,
    error::DisplayErrorContext,
    types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
};

use crate::{
    invoke::Invoker,
    report::{Event, Reporter},
};

const LONG_POLL_SECONDS: i32 = 20;
/// Polls of one mapping at once. Two keep messages moving while one batch is handed over; more
/// would only load the queue server, which answers some 170 calls a second.
const MAX_POLLS: u32 = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// One mapping to serve.
#[derive(Debug, Clone)]
pub struct Mapping {
    /// URL of the queue.
    pub queue_url: String,
    /// ARN of the queue, as events name it.
    pub queue_arn: String,
    /// The function.
    pub function: String,
    /// How long one call may take.
    pub timeout: Duration,
    /// Most messages in one call.
    pub batch_size: u32,
    /// Most calls at once.
    pub max_concurrency: u32,
    /// Whether the function's answer names the messages that failed.
    pub reports_item_failures: bool,
    /// Delivers every n-th message twice: by turns at the same time, and again after it is done.
    pub redeliver_every: Option<u32>,
}

/// Serves one mapping until it is dropped.
#[derive(Debug)]
pub struct Poller {
    tasks: JoinSet<()>,
}

struct Worker {
    mapping: Mapping,
    client: Client,
    invoker: Arc<dyn Invoker>,
    reporter: Reporter,
    /// One permit for each call of the function.
    slots: Arc<Semaphore>,
    delivered: AtomicU64,
}

/// What became of one call.
struct Settled {
    /// One entry per message: whether it succeeded.
    succeeded: Vec<bool>,
    error: Option<String>,
}

impl Poller {
    /// Starts to serve `mapping`.
    pub fn start(mapping: Mapping, client: Client, invoker: Arc<dyn Invoker>, reporter: Reporter) -> Self {
        let slots = Arc::new(Semaphore::new(mapping.max_concurrency as usize));
        let polls = mapping.max_concurrency.min(MAX_POLLS);
        let worker = Arc::new(Worker { mapping, client, invoker, reporter, slots, delivered: AtomicU64::new(0) });
        let mut tasks = JoinSet::new();
        for _ in 0..polls {
            tasks.spawn(worker.clone().poll_forever());
        }
        Self { tasks }
    }

    /// Stops polling. Calls that run go on.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

impl Worker {
    async fn poll_forever(self: Arc<Self>) {
        let mut pause = FIRST_PAUSE;
        let mut away = false;
        loop {
            // A slot first, so that no message is taken that nobody could work on.
            let Ok(slot) = self.slots.clone().acquire_owned().await else { return };
            match self.receive().await {
                Ok(messages) => {
                    if away {
                        self.reporter.note(format!("The queue of {} is back.", self.mapping.function));
                        away = false;
                    }
                    pause = FIRST_PAUSE;
                    if !messages.is_empty() {
                        tokio::spawn(self.clone().deliver(messages, slot));
                    }
                }
                Err(error) => {
                    drop(slot);
                    if !away {
                        let function = &self.mapping.function;
                        self.reporter.note(format!("The queue of {function} does not answer; trying again: {error}"));
                        away = true;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn receive(&self) -> Result<Vec<Message>, String> {
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.mapping.queue_url)
            .max_number_of_messages(i32::try_from(self.mapping.batch_size.min(10)).unwrap_or(10))
            .wait_time_seconds(LONG_POLL_SECONDS)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|error| DisplayErrorContext(error).to_string())?;
        Ok(answer.messages.unwrap_or_default())
    }

    async fn deliver(self: Arc<Self>, messages: Vec<Message>, slot: OwnedSemaphorePermit) {
        let (early, late) = self.pick_for_redelivery(&messages);
        if !early.is_empty() {
            tokio::spawn(self.clone().redeliver(early));
        }
        let started = Instant::now();
        let settled = self.call(&messages).await;
        // Another call may start while we clean up after this one.
        drop(slot);
        self.reporter.report(&Event::Batch {
            function: self.mapping.function.clone(),
            messages: messages.len(),
            repeated: messages.iter().filter(|message| batch::receive_count(message) > 1).count(),
            failed: settled.succeeded.iter().filter(|succeeded| !**succeeded).count(),
            duration: started.elapsed(),
            error: settled.error,
        });
        self.delete(messages.iter().zip(settled.succeeded).filter(|(_, ok)| *ok).map(|(message, _)| message)).await;
        if !late.is_empty() {
            self.redeliver(late).await;
        }
    }

    async fn call(&self, messages: &[Message]) -> Settled {
        let event = batch::event(messages, &self.mapping.queue_arn).to_string();
        let invoked = self.invoker.invoke(&self.mapping.function, event.into(), self.mapping.timeout).await;
        let ids: Vec<&str> = messages.iter().map(|message| message.message_id().unwrap_or_default()).collect();
        // Whatever fails as a whole leaves its messages and their visibility alone.
        let nobody = || vec![false; ids.len()];
        match invoked {
            Err(error) => Settled { succeeded: nobody(), error: Some(error.to_string()) },
            Ok(_) if !self.mapping.reports_item_failures => Settled { succeeded: vec![true; ids.len()], error: None },
            Ok(answer) => match batch::succeeded(&answer, &ids) {
                Ok(succeeded) => Settled { succeeded, error: None },
                Err(error) => Settled { succeeded: nobody(), error: Some(error) },
            },
        }
    }

    async fn delete(&self, messages: impl Iterator<Item = &Message>) {
        let entries: Result<Vec<_>, _> = messages
            .enumerate()
            .map(|(index, message)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(message.receipt_handle().unwrap_or_default())
                    .build()
            })
            .collect();
        let Ok(entries) = entries else { return };
        if entries.is_empty() {
            return;
        }
        let request = self.client.delete_message_batch().queue_url(&self.mapping.queue_url);
        // A message that cannot be deleted comes again, which every function has to expect. Most
        // often the queue server was stopped and has forgotten the message anyway.
        let _ = request.set_entries(Some(entries)).send().await;
    }

    /// Splits off what is to be delivered twice: at the same time, and afterwards.
    fn pick_for_redelivery(&self, messages: &[Message]) -> (Vec<Message>, Vec<Message>) {
        let (mut early, mut late) = (vec![], vec![]);
        let Some(every) = self.mapping.redeliver_every.map(u64::from).filter(|every| *every > 0) else {
            return (early, late);
        };
        for message in messages {
            let count = self.delivered.fetch_add(1, Ordering::Relaxed) + 1;
            if count.is_multiple_of(every) {
                let turn = count / every;
                if turn % 2 == 1 { &mut early } else { &mut late }.push(message.clone());
            }
        }
        (early, late)
    }

    /// A second delivery. Only the first one decides what is deleted.
    async fn redeliver(self: Arc<Self>, messages: Vec<Message>) {
        let started = Instant::now();
        let settled = self.call(&messages).await;
        self.reporter.report(&Event::Batch {
            function: self.mapping.function.clone(),
            messages: messages.len(),
            repeated: messages.len(),
            failed: settled.succeeded.iter().filter(|succeeded| !**succeeded).count(),
            duration: started.elapsed(),
            error: settled.error,
        });
    }
}
