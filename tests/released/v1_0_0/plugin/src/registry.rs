//! What lives in a plugin library: its provider types, their instances, and the running tasks.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use jackfield_plugin_abi::envelope::{State, TaskResult};

use crate::{
    Answer, Host,
    export::{BuiltProvider, ProviderType},
    lock::lock,
    pipeline::BoxFuture,
};

/// The provider types of a library, with their instances and tasks. One static per library.
///
/// The author's code runs under no lock: the maps hand out and take back whole values.
pub struct Registry {
    provider_types: fn() -> Vec<ProviderType>,
    instances: Mutex<BTreeMap<u64, Arc<Instance>>>,
    tasks: Mutex<BTreeMap<u64, Task>>,
    next_id: AtomicU64,
}

/// One configured provider.
pub(crate) struct Instance {
    pub(crate) provider_type: ProviderType,
    pub(crate) options: State,
    pub(crate) provider: BuiltProvider,
}

/// A question that an instance is answering.
pub(crate) struct Task {
    pub(crate) instance: u64,
    pub(crate) host: Host,
    pub(crate) future: TaskFuture,
}

/// The author's future.
pub(crate) enum TaskFuture {
    /// A step. Its state is read when it has answered.
    View { future: BoxFuture<Answer>, state: Arc<Mutex<State>> },
    /// Any other question.
    Other(BoxFuture<TaskResult>),
}

impl Registry {
    /// A registry of the provider types that the function lists.
    #[must_use]
    pub const fn new(provider_types: fn() -> Vec<ProviderType>) -> Self {
        Self {
            provider_types,
            instances: Mutex::new(BTreeMap::new()),
            tasks: Mutex::new(BTreeMap::new()),
            next_id: AtomicU64::new(1),
        }
    }

    pub(crate) fn provider_types(&self) -> Vec<ProviderType> {
        (self.provider_types)()
    }

    pub(crate) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn instance(&self, id: u64) -> Option<Arc<Instance>> {
        lock(&self.instances).get(&id).cloned()
    }

    pub(crate) fn insert_instance(&self, id: u64, instance: Instance) {
        lock(&self.instances).insert(id, Arc::new(instance));
    }

    pub(crate) fn remove_instance(&self, id: u64) -> Option<Arc<Instance>> {
        lock(&self.instances).remove(&id)
    }

    /// Puts a new instance in the place of an old one, which it returns. If the old one has gone
    /// meanwhile, it stays gone.
    pub(crate) fn replace_instance(&self, id: u64, new: &Arc<Instance>) -> Option<Arc<Instance>> {
        lock(&self.instances).get_mut(&id).map(|old| std::mem::replace(old, new.clone()))
    }

    pub(crate) fn insert_task(&self, id: u64, task: Task) {
        lock(&self.tasks).insert(id, task);
    }

    pub(crate) fn remove_task(&self, id: u64) -> Option<Task> {
        lock(&self.tasks).remove(&id)
    }

    pub(crate) fn remove_tasks_of(&self, instance: u64) -> Vec<Task> {
        let mut tasks = lock(&self.tasks);
        tasks.extract_if(.., |_, task| task.instance == instance).map(|(_, task)| task).collect()
    }
}
