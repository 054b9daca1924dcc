//! Part 1: a backup service's folder as it stands.

use std::path::Path;

use strongroom::core::planner::WarningCode;
use strongroom::embedded::{EmbeddedCluster, ImportOptions};
use strongroom::record::Record;
use strongroom::service_folder::ServiceFolder;
use strongroom::{Error, Result};

use super::Story;
use super::clock::DemoClock;
use super::data::{self, NAMESPACE};
use super::proof::{VoidTimes, digests, prove};
use crate::text;

/// Restores the folder's chain to `t1` and compares with the truth.
pub(super) fn show(story: &Story, input: &Path, work: &Path) -> Result<()> {
    let t1 = data::moment(input, "t1")?;
    story.say("1. A backup service's folder, as it stands");
    let folder = ServiceFolder::open(&input.join(data::SERVICE), None)?;
    let plan = folder.plan(Some(t1), Some(NAMESPACE))?;
    let explanation = folder.explain(Some(t1), Some(NAMESPACE))?;
    story.say(format!("  The plan for routine '{}' at {t1} explains itself:\n", folder.routine()));
    story.say(text::indented(&explanation.to_string(), "  "));
    story.say("");

    let (_, environment) = DemoClock::at(t1);
    let cluster = EmbeddedCluster::create(work.join("from-service.redb"), environment)?;
    let report = cluster.import_folders(&folder.folders(&plan, NAMESPACE), &ImportOptions::default())?;
    if report.refused > 0 {
        return Err(Error::corrupt(format!("{} records were refused: {}", report.refused, report.refusals.join("; "))));
    }
    let (restored, truth) = (data::held(&cluster)?, data::records(&input.join("t1-truth"))?);
    let (before, there) = (digests(&data::records(&input.join(data::BASE))?), digests(&truth));
    let (back, known): (Vec<Record>, Vec<Record>) = restored.into_iter().partition(|r| !there.contains(&r.digest));
    story.say(format!(
        "  Restored {} records; the server held {} at that moment.",
        back.len() + known.len(),
        truth.len()
    ));
    if let Some(record) = back.iter().find(|record| !before.contains(&record.digest)) {
        return Err(Error::corrupt(format!("record {} is neither in the truth nor in the base", record.digest)));
    }
    let told = explanation.warnings.iter().find(|warning| warning.code == WarningCode::DeletesUnseen);
    let Some(told) = told else {
        return Err(Error::internal("the plan does not warn of deletes that it does not see"));
    };
    story.say(format!(
        "  {} records are back that had been deleted: each is in the base, and is not in the truth. The plan said why:",
        back.len()
    ));
    story.say(text::indented(&told.to_string(), "    "));
    story.say("  All the others, against a whole backup that the tools took at that moment:");
    prove(story, ["restored", "truth"], &known, &truth, VoidTimes::WithinASecond)
}
