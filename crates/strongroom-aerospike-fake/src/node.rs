//! The nodes, and who owns what.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::PARTITIONS;
use crate::faults::Faults;
use crate::serve::serve;
use crate::store::Store;

/// Who is alive, and who owns what.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    /// Nodes by id, with their ports.
    pub(crate) alive: BTreeMap<String, u16>,
    pub(crate) replicas: usize,
    pub(crate) regime: u32,
    pub(crate) generation: u64,
    /// Partitions that were moved by hand, by namespace and partition.
    moved: BTreeMap<(String, u16), String>,
}

impl Layout {
    /// The node that holds a replica of a partition: the living nodes in turn.
    pub(crate) fn owner(&self, namespace: &str, partition: u16, replica: usize) -> Option<&str> {
        if replica == 0 && !self.moved.is_empty() {
            let moved = self.moved.get(&(namespace.to_owned(), partition));
            if let Some(moved) = moved.filter(|moved| self.alive.contains_key(*moved)) {
                return Some(moved);
            }
        }
        if replica >= self.alive.len() {
            return None;
        }
        self.alive.keys().nth((usize::from(partition) + replica) % self.alive.len()).map(String::as_str)
    }
}

/// One node.
#[derive(Debug, Clone)]
pub(crate) struct NodeState {
    pub(crate) id: String,
    pub(crate) port: u16,
    queries: Arc<Mutex<VecDeque<u64>>>,
}

impl NodeState {
    pub(crate) fn new(id: String, port: u16) -> Self {
        Self { id, port, queries: Arc::default() }
    }

    /// Takes in the id of a new query. A server (8.1) refuses one of a query that it has, or remembers: of the last 100.
    pub(crate) fn is_new_query(&self, id: u64) -> bool {
        let mut known = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(&id) {
            return false;
        }
        known.push_back(id);
        if known.len() > 100 {
            known.pop_front();
        }
        true
    }
}

/// What all nodes share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    store: Mutex<Store>,
    faults: Mutex<Faults>,
    layout: Mutex<Layout>,
}

impl Shared {
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn layout(&self) -> MutexGuard<'_, Layout> {
        self.layout.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running cluster; dropped, it is gone.
#[derive(Debug)]
pub struct Fake {
    shared: Arc<Shared>,
    tasks: BTreeMap<String, JoinHandle<()>>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.tasks.values().for_each(JoinHandle::abort);
    }
}

impl Fake {
    /// Starts so many nodes on free ports of loopback, with two replicas where there are two nodes. The node ids are `A1`,
    /// `A2` and so on.
    ///
    /// # Errors
    /// When a port can't be had.
    pub async fn start(nodes: usize) -> io::Result<Self> {
        let mut listeners = Vec::new();
        for _ in 0..nodes {
            listeners.push(TcpListener::bind("127.0.0.1:0").await?);
        }
        Self::start_on(listeners)
    }

    /// Starts a node on each listener.
    ///
    /// # Errors
    /// When a listener does not tell its port.
    pub fn start_on(listeners: Vec<TcpListener>) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut tasks = BTreeMap::new();
        for (number, listener) in (1..).zip(listeners) {
            let node = NodeState::new(format!("A{number}"), listener.local_addr()?.port());
            shared.layout().alive.insert(node.id.clone(), node.port);
            tasks.insert(node.id.clone(), tokio::spawn(serve(listener, node, Arc::clone(&shared))));
        }
        let mut layout = shared.layout();
        layout.replicas = layout.alive.len().min(2);
        layout.generation = 1;
        drop(layout);
        Ok(Self { shared, tasks })
    }

    /// What the nodes hold.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.shared.store()
    }

    /// What shall go wrong.
    pub fn faults(&self) -> MutexGuard<'_, Faults> {
        self.shared.faults()
    }

    /// Where the living nodes are reached.
    #[must_use]
    pub fn addresses(&self) -> Vec<(String, u16)> {
        self.shared.layout().alive.values().map(|port| ("127.0.0.1".to_owned(), *port)).collect()
    }

    /// Ends a node: its connections break, and the others own what was its.
    pub fn kill(&mut self, node: &str) {
        if let Some(task) = self.tasks.remove(node) {
            task.abort();
        }
        let mut layout = self.shared.layout();
        layout.alive.remove(node);
        layout.generation += 1;
        layout.regime += 1;
    }

    /// Makes another node the master of a partition.
    pub fn move_partition(&self, namespace: &str, partition: u16, to: &str) {
        let mut layout = self.shared.layout();
        layout.moved.insert((namespace.to_owned(), partition % PARTITIONS), to.to_owned());
        layout.generation += 1;
        layout.regime += 1;
    }

    /// The master of a partition now.
    #[must_use]
    pub fn master(&self, namespace: &str, partition: u16) -> Option<String> {
        self.shared.layout().owner(namespace, partition, 0).map(str::to_owned)
    }
}
