//! Tasks that run in the background while the host serves.

use std::future::Future;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{app::AppHandle, control};
use jackfield_services::keys::Keys;

/// The running background tasks.
pub(super) struct Background {
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Background {
    /// Starts all of them. Add new ones here.
    pub(super) fn start(app: &AppHandle, control: Option<control::Listener>) -> Self {
        let background = Self { tasks: TaskTracker::new(), stopping: CancellationToken::new() };
        background.spawn(app.database.clone().sweep());
        background.spawn(app.audit.clone().run());
        background.spawn(app.audit.sequencer().run());
        background.spawn(app.retention.clone().run());
        background.spawn(resume_rotation(app.keys.clone()));
        background.spawn(app.grants.clone().run());
        background.spawn(app.revocations.clone().run());
        background.spawn(app.connect_sessions.expiry().run());
        background.spawn(app.inbox.clone().run());
        background.spawn(app.deliveries.clone().run());
        if let Some(listener) = control {
            background.spawn(control::serve(listener, app.clone()));
        }
        background
    }

    /// A task is dropped where it waits when the host stops.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move { stopping.run_until_cancelled(task).await });
    }

    /// Ends all of them and waits for them. With its task, the file of the control socket is
    /// removed.
    pub(super) async fn stop(self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Finishes a rotation that a killed host or command has left half done.
async fn resume_rotation(keys: Keys) {
    if let Err(error) = keys.resume().await {
        tracing::warn!(%error, "an interrupted rotation of keys cannot be resumed");
    }
}
