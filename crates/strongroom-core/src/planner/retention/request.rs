//! What retention is asked, and what else is going on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::policy::RetentionPolicy;
use crate::Timestamp;
use crate::id::{BackupId, ClusterId, TimelineId};
use crate::model::PartName;

/// A question to [`Catalogue::retain`](crate::planner::Catalogue::retain).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RetentionRequest {
    /// What shall be kept of each part.
    pub policy: RetentionPolicy,
    /// Parts with a policy of their own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<PartName, RetentionPolicy>,
    /// The one cluster it is about; `None`: all. Nothing of other clusters goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterId>,
    /// The time.
    pub now: Timestamp,
    /// What is going on meanwhile.
    pub activity: Activity,
}

impl RetentionRequest {
    /// The same policy for every part.
    #[must_use]
    pub fn new(policy: RetentionPolicy, now: Timestamp) -> Self {
        Self { policy, now, ..Self::default() }
    }

    pub(super) fn policy_of(&self, part: &str) -> &RetentionPolicy {
        self.parts.get(part).unwrap_or(&self.policy)
    }
}

/// What others do with backups meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Activity {
    /// Backups that a running restore or copy reads, with the name of its lease.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub leases: BTreeMap<BackupId, String>,
    /// A lease of somebody who may need any backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_all: Option<String>,
    /// Backups that are being taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub in_flight: Vec<InFlight>,
}

/// A backup that was begun and is not committed: its chain must still be there when it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// The backup.
    pub backup: BackupId,
    /// Its cluster.
    pub cluster: ClusterId,
    /// Its part.
    pub part: PartName,
    /// Its timeline.
    pub timeline: TimelineId,
    /// The moment from which it takes changes; `None`: it is a base and needs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
}
