//! The invariants of a plan, each by its number in `docs/planner.md`: a case by hand, and where it says "every" the plans of
//! many random worlds. Those that need an engine are where engines are tested.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use strongroom_core::Timestamp;
use strongroom_core::codec::CodecId;
use strongroom_core::id::{ClusterId, DataKeyId, RunId};
use strongroom_core::model::{Deletes, Scope, Status};
use strongroom_core::planner::{
    Apply, Entry, LogPlace, LogSeq, PartPlan, Plan, PlanError, Reason, Request, Step, Strictness, Target, WarningCode,
};
use strongroom_testkit::{SeedGuard, seeds};

use crate::generator::{random_request, random_world};
use crate::picture::{World, at, id, tables, world};

/// Plans many random requests in many random worlds; tells how many plans `check` has seen.
fn everywhere(check: impl Fn(&World, &Request, &Result<Plan, Box<PlanError>>)) -> u64 {
    let mut plans = 0;
    for seed in seeds(600) {
        let _guard = SeedGuard::new(seed);
        let mut rng = Rng::with_seed(seed);
        let world = random_world(&mut rng, 12);
        let catalogue = world.catalogue();
        for _ in 0..4 {
            let request = random_request(&mut rng, &world);
            let planned = catalogue.plan(&request);
            plans += u64::from(planned.is_ok());
            check(&world, &request, &planned);
        }
    }
    plans
}

/// The same for each part of each plan, with the entries of its steps.
fn every_part(check: impl Fn(&Request, &PartPlan, &[&Entry])) {
    let plans = everywhere(|world, request, planned| {
        let Ok(plan) = planned else { return };
        for part in plan.parts.values() {
            check(request, part, &entries(world, part));
        }
    });
    assert!(plans > 0 || std::env::var_os("STRONGROOM_SEED").is_some(), "no plan was made");
}

fn entries<'a>(world: &'a World, part: &PartPlan) -> Vec<&'a Entry> {
    let entry = |step: &Step| world.entries.iter().find(|entry| entry.id == step.backup).unwrap();
    part.steps.iter().map(entry).collect()
}

fn plan(picture: &str, target: Target) -> Result<Plan, Box<PlanError>> {
    world(picture).catalogue().plan(&Request::at(target))
}

/// Why it is refused.
fn refused(picture: &str, target: Target) -> Reason {
    plan(picture, target).map(|plan| plan.parts).unwrap_err().reason
}

/// The numbers of the steps, and the second that is reached.
fn reaches(picture: &str, target: Target) -> (Vec<u128>, i64) {
    steps(&plan(picture, target).unwrap())
}

fn steps(plan: &Plan) -> (Vec<u128>, i64) {
    let number = |step: &Step| u128::from_be_bytes(*step.backup.as_bytes());
    let numbers = plan.steps().map(|(_, step)| number(step)).collect();
    (numbers, plan.reached.until.micros() / 1_000_000)
}

fn warns(plan: &Plan, code: WarningCode) -> bool {
    plan.warnings.iter().any(|warning| warning.code == code)
}

fn by(second: i64) -> Target {
    Target::AtOrBefore(at(second))
}

fn is_begin(step: &Step) -> bool {
    step.apply == Apply::Begin
}

#[test]
fn i01_a_chain_begins_with_a_complete_base() {
    assert_eq!(refused("2:10-20 3:20-30", Target::Latest), Reason::Gap);
    assert_eq!(refused("1:-10!partial 2:10-20", Target::Latest), Reason::Partial);
    assert_eq!(reaches("1:s-10 2:10-20", Target::Latest), (vec![1, 2], 20));
    every_part(|request, part, entries| {
        assert!(is_begin(&part.steps[0]) && !part.steps[1..].iter().any(is_begin), "{part:?}");
        let whole = entries[0].status == Status::Complete && entries[0].missing == 0;
        assert!(whole || request.allow_partial, "{part:?}");
    });
}

#[test]
fn i02_no_target_accepts_a_gap() {
    let gap = "1:-10 3:20-30>7";
    let targets =
        [Target::Latest, by(30), Target::Exactly(at(30)), Target::Backup(id(3)), Target::Run(RunId::from_u128(7))];
    for target in targets {
        assert_eq!(refused(gap, target.clone()), Reason::Gap, "{target:?}");
    }
    let log = "1:-10&a 2:a.1.1@5-15 4:a.1.3<1.2@20-30";
    let end = Target::LogPosition { node: "a".to_owned(), epoch: 1, seq: 3 };
    for target in [end, Target::Latest, by(30), Target::Exactly(at(30))] {
        // At the latest moment nothing says up to where the log should go, but that there is a hole.
        assert_eq!(refused(log, target.clone()), Reason::LogGap, "{target:?}");
    }
    every_part(|_, part, _| {
        let mut reached = i64::MIN;
        for step in part.steps.iter().filter(|step| !matches!(step.apply, Apply::Replay { .. })) {
            let (from, until) = (step.window.from.map_or(i64::MIN, Timestamp::micros), step.window.until.micros());
            assert!(is_begin(step) || from <= reached, "a gap before {step:?}");
            assert!(until > reached, "{step:?} brings nothing");
            reached = until;
        }
    });
}

#[test]
fn i03_the_point_is_never_moved_in_silence() {
    let gap = plan("1:-10 3:20-30", by(30)).unwrap_err();
    assert_eq!(gap.before.map(|before| before.until), Some(at(10)));
    assert_eq!(refused("1:-10 2:10-20", Target::Exactly(at(15))), Reason::NotExact);
    everywhere(|world, request, planned| {
        let strict = Request { strictness: Strictness::Refuse, ..request.clone() };
        let loose = Request { strictness: Strictness::NearestEarlier, ..request.clone() };
        let catalogue = world.catalogue();
        let moved = |plan: &Plan| warns(plan, WarningCode::MovedEarlier);
        match (catalogue.plan(&strict), catalogue.plan(&loose)) {
            (Ok(strict), Ok(loose)) => {
                assert!(!moved(&strict) && !moved(&loose), "nothing was moved");
                assert_eq!(strict.parts, loose.parts);
            }
            (Err(refused), Ok(loose)) => assert!(moved(&loose), "{refused} was passed over in silence"),
            (Ok(_), Err(refused)) => panic!("only refused where less is enough: {refused}"),
            (Err(_), Err(_)) => {}
        }
        let (Ok(plan), Target::Exactly(moment)) = (planned, &request.target) else { return };
        assert!(moved(plan) || (plan.reached.until, plan.reached.settled) == (*moment, *moment), "{:?}", plan.reached);
    });
    // Never past what was backed up.
    everywhere(|world, _, planned| {
        let newest = world.entries.iter().map(|entry| entry.window.until.max(entry.window.settled)).max();
        assert!(planned.iter().all(|plan| Some(plan.reached.until) <= newest));
    });
}

#[test]
fn i04_a_parent_is_whole_and_of_the_same_history() {
    assert_eq!(reaches("1:-10 2:1@10-20 3:2@20-30", Target::Latest), (vec![1, 2, 3], 30));
    for (picture, reason) in [
        ("1:-10 3:2@20-30", Reason::ParentMissing),
        ("1:-10 2:1@10-20!corrupt 3:2@20-30", Reason::Corrupt),
        ("1:-10 2:1@10-20!partial 3:2@20-30", Reason::Partial),
        // It ends elsewhere.
        ("1:-10 2:1@10-20 3:2@19-30", Reason::ParentUnusable),
        // It is of another part, another timeline, another cluster.
        ("1:-10#q 3:1@10-30", Reason::ParentUnusable),
        ("1:-10/2 3:1@10-30", Reason::ParentUnusable),
    ] {
        assert_eq!(refused(picture, Target::Backup(id(3))), reason, "{picture}");
    }
    let strange = world("1:-10%2 3:1@10-30");
    let request = Request { cluster: Some(ClusterId::from_u128(1)), ..Request::at(Target::Backup(id(3))) };
    assert_eq!(strange.catalogue().plan(&request).unwrap_err().reason, Reason::ParentUnusable);
    // What a timeline took after a restore had ended it is of no history.
    assert_eq!(reaches("/1 /2<1@10>15 1:-10 2:10-20 3:-30/2", by(25)), (vec![1], 10));
    every_part(|_, part, entries| {
        for (pair, step) in entries.windows(2).zip(&part.steps[1..]) {
            if step.apply == Apply::Exact {
                assert_eq!(pair[1].parent, Some(pair[0].id));
                assert_eq!(pair[1].window.from, Some(pair[0].window.until));
            }
        }
        for entry in entries.iter().filter(|entry| entry.log.is_none()) {
            let own = (entry.cluster, &entry.part, entry.timeline);
            assert_eq!(own, (entries[0].cluster, &entries[0].part, part.timeline));
        }
    });
}

#[test]
fn i05_ids_are_unique_links_have_no_loop_and_order_is_by_time() {
    // Two different backups of one id: neither is used, and it can't be told which one is meant.
    assert_eq!(refused("1:-10 2:10-20 2:10-21", by(21)), Reason::DuplicateId);
    assert_eq!(refused("1:-10 2:10-20 2:10-21", Target::Backup(id(2))), Reason::DuplicateId);
    let twice = plan("1:-10 2:10-20 2:10-21", Target::Backup(id(2))).unwrap_err();
    assert!(twice.advice().contains("name another backup, or a moment"), "{twice}");
    // The same backup told twice is one.
    assert_eq!(reaches("1:-10 2:10-20 2:10-20", Target::Latest), (vec![1, 2], 20));
    for round in ["1:-10 2:3@10-20 3:2@20-30", "1:-10 2:2@10-20"] {
        let error = plan(round, Target::Backup(id(2))).unwrap_err();
        assert_eq!(error.reason, Reason::ParentUnusable, "{round}");
    }
    // Whatever the ids and the timelines are called.
    assert_eq!(reaches("9:-10 4:10-20 7:20-30", Target::Latest), (vec![9, 4, 7], 30));
    assert_eq!(reaches("/9 /2<9@10>15 1:-10/9 2:-30/2", Target::Latest), (vec![2], 30));
    every_part(|_, part, _| {
        let ids: BTreeSet<_> = part.steps.iter().map(|step| step.backup).collect();
        assert_eq!(ids.len(), part.steps.len(), "a backup twice");
        let own = part.steps.iter().filter(|step| !matches!(step.apply, Apply::Replay { .. }));
        assert!(own.map(|step| step.window.until).is_sorted_by(|a, b| a < b), "{part:?}");
    });
}

#[test]
fn i06_what_is_damaged_deleted_or_not_committed_is_in_no_plan() {
    assert_eq!(refused("1:-10 2:10-20!corrupt", Target::Latest), Reason::Corrupt);
    assert_eq!(refused("1:-10 2:10-20!deleted", Target::Backup(id(2))), Reason::Deleted);
    assert_eq!(refused("1:-10 2:10-20=far.gone,home.corrupt", Target::Latest), Reason::CopyUnavailable);
    every_part(|request, part, entries| {
        for entry in entries {
            assert!(!matches!(entry.status, Status::Corrupt | Status::Deleted), "{part:?}");
            assert!(entry.status == Status::Complete || request.allow_partial, "{part:?}");
        }
    });
}

#[test]
fn i08_every_part_that_was_asked_for_is_there_or_named() {
    let asked = |allow| {
        let scope = Scope::of_parts(["p", "q"]);
        let request = Request { allow_missing_parts: allow, ..Request::default().of(scope) };
        world("1:-10#p").catalogue().plan(&request)
    };
    let error = asked(false).unwrap_err();
    assert_eq!((error.reason, error.part.as_deref()), (Reason::PartMissing, Some("q")));
    assert!(warns(&asked(true).unwrap(), WarningCode::PartLeftOut));
    everywhere(|world, request, planned| {
        let Ok(plan) = planned else { return };
        let left_out: BTreeSet<&str> = plan
            .warnings
            .iter()
            .filter(|warning| warning.code == WarningCode::PartLeftOut)
            .filter_map(|warning| warning.part.as_deref())
            .collect();
        let named = request.scope.parts.iter().flatten().map(|(name, _)| name.as_str());
        let known = world.entries.iter().filter(|it| it.cluster == plan.cluster && it.log.is_none());
        let known = known.filter(|it| it.status != Status::Deleted).map(|it| it.part.as_str());
        let asked: BTreeSet<&str> = match (&request.scope.parts, &request.target) {
            (Some(_), _) => named.collect(),
            // A backup is of its own part.
            (None, Target::Backup(_)) => BTreeSet::new(),
            (None, _) => known.collect(),
        };
        for name in asked {
            assert!(plan.parts.contains_key(name) != left_out.contains(name), "'{name}' of {:?}", plan.parts.keys());
        }
    });
}

#[test]
fn i09_every_step_took_all_that_is_asked_for() {
    let narrow = world("1:-10 2:10-20(t");
    let of = |names: &[&str]| {
        let scope = Scope { parts: Some([("p".to_owned(), tables(names))].into()) };
        narrow.catalogue().plan(&Request::at(Target::Backup(id(2))).of(scope))
    };
    assert_eq!(of(&[]).unwrap_err().reason, Reason::FilterTooNarrow);
    assert_eq!(of(&["u"]).unwrap_err().reason, Reason::FilterTooNarrow);
    assert_eq!(steps(&of(&["t"]).unwrap()), (vec![1, 2], 20));
    every_part(|_, part, entries| {
        let too_narrow = |wanted: &BTreeSet<String>, had: &BTreeSet<String>| !wanted.is_subset(had);
        for entry in entries {
            match (&part.filter.tables, &entry.filter.tables) {
                (_, None) => {}
                (None, Some(had)) => panic!("only {had:?} is in {}", entry.id),
                (Some(wanted), Some(had)) => assert!(!too_narrow(wanted, had), "{wanted:?} of {had:?}"),
            }
        }
    });
}

#[test]
fn i10_keys_and_codecs_are_at_hand_before_the_start() {
    let sealed = world("1:-10$1,2|zstd,seal");
    let with = |keys: &[u128], codecs: &[&str]| {
        let request = Request {
            keys: Some(keys.iter().map(|key| DataKeyId::from_u128(*key)).collect()),
            codecs: Some(codecs.iter().map(|codec| CodecId::new(*codec).unwrap()).collect()),
            ..Request::default()
        };
        sealed.catalogue().plan(&request).map(|plan| plan.keys.len()).map_err(|error| error.reason)
    };
    assert_eq!(with(&[1, 2], &["zstd", "seal"]), Ok(2));
    assert_eq!(with(&[1], &["zstd", "seal"]), Err(Reason::KeyMissing));
    assert_eq!(with(&[1, 2], &["seal"]), Err(Reason::CodecMissing));
    every_part(|request, part, entries| {
        for entry in entries {
            let known = |key| request.keys.as_ref().is_none_or(|keys| keys.contains(key));
            assert!(entry.keys.iter().all(known), "{part:?}");
            let family = |codec: &CodecId| codec.as_str().split(':').next().unwrap_or_default().to_owned();
            let speaks = |codec: &CodecId| {
                let mut have = request.codecs.iter().flatten().map(CodecId::as_str);
                request.codecs.is_none() || have.any(|have| have == codec.as_str() || have == family(codec))
            };
            assert!(entry.codecs.iter().all(speaks), "{part:?}");
        }
    });
}

#[test]
fn i11_logs_are_whole_from_the_state_to_the_target_for_every_node() {
    let whole = "1:-10&a,b 2:a.1.1@5-15 3:a.1.2<1.1@15-30 4:b.7.1@8-29";
    assert_eq!(reaches(whole, by(28)), (vec![1, 2, 3, 4], 28));
    // A segment that was archived twice, once with a window that makes no sense: what is before it is replayed all the same.
    let twice = "1:-7&a 2:a.1.1@0-10 3:a.1.2<1.1@10-20 4:a.1.2<1.1@15-5 5:a.1.3<1.2@20-30";
    assert_eq!(reaches(twice, by(25)), (vec![1, 2, 3, 5], 25));
    for (picture, reason) in [
        // A hole, though numbers follow each other: the ledger says what came before.
        ("1:-10&a 2:a.1.1@5-15 3:a.1.2<1.7@15-30", Reason::LogGap),
        // The log begins after the state.
        ("1:-10&a 3:a.1.2<1.1@15-30", Reason::LogStartsLate),
        // A node without a log.
        ("1:-10&a,b 2:a.1.1@5-30", Reason::NotExact),
        // It does not go as far.
        ("1:-10&a 2:a.1.1@5-27", Reason::NotExact),
        // Nobody says which nodes there were.
        ("1:-10 2:a.1.1@5-30", Reason::NodesUnknown),
    ] {
        assert_eq!(refused(picture, Target::Exactly(at(28))), reason, "{picture}");
    }
    everywhere(|world, request, planned| {
        for part in planned.iter().flat_map(|plan| plan.parts.values()) {
            let used = entries(world, part);
            let logs = used.iter().filter(|entry| entry.log.is_some());
            let state = used.iter().filter(|entry| entry.log.is_none()).map(|entry| entry.window.until).max().unwrap();
            let mut ledgers: BTreeMap<(&str, bool), Vec<&Entry>> = BTreeMap::new();
            for entry in logs {
                ledgers.entry((&place(entry).node, entry.part.is_empty())).or_default().push(entry);
            }
            for segments in ledgers.values() {
                follow(world, segments);
                let first = segments[0];
                let early = state.plus_micros(-request.log_margin_micros.max(0));
                let before = first.window.from.unwrap() <= early;
                assert!(
                    before || place(first).previous.is_none_or(|before| is_there(world, first, before)),
                    "{part:?}"
                );
            }
        }
    });
}

fn place(entry: &Entry) -> &LogPlace {
    entry.log.as_ref().unwrap()
}

/// Whether the ledger of `entry` has a segment at `there`.
fn is_there(world: &World, entry: &Entry, there: LogSeq) -> bool {
    let mut own = world.entries.iter().filter(|it| it.part == entry.part && it.cluster == entry.cluster);
    own.any(|it| it.log.as_ref().is_some_and(|log| log.node == place(entry).node && seq(log) == there))
}

fn seq(log: &LogPlace) -> LogSeq {
    LogSeq { epoch: log.epoch, seq: log.seq }
}

/// Each segment follows, by the ledger, the one before it, or one that holds nothing of the time that is replayed.
fn follow(world: &World, segments: &[&Entry]) {
    for pair in segments.windows(2) {
        let (before, after) = (seq(place(pair[0])), place(pair[1]));
        let previous = after.previous.unwrap_or_else(|| panic!("{after:?} begins anew after {before:?}"));
        assert!(before < seq(after) && before <= previous, "{after:?} after {before:?}");
        assert!(previous == before || is_there(world, pair[1], previous), "a hole between {before:?} and {after:?}");
    }
}

#[test]
fn i12_what_is_not_listed_may_be_there() {
    let hidden = plan("… 1:-10 2:10-20", Target::Latest).unwrap();
    assert!(warns(&hidden, WarningCode::CatalogueIncomplete));
    assert!(!warns(&plan("1:-10 2:10-20", Target::Latest).unwrap(), WarningCode::CatalogueIncomplete));
    assert!(!world("… 1:-10").catalogue().windows(&Request::default()).unwrap().complete);
    everywhere(|world, _, planned| {
        if let Ok(plan) = planned {
            assert_eq!(warns(plan, WarningCode::CatalogueIncomplete), world.incomplete);
        }
    });
}

#[test]
fn i16_logs_are_ordered_by_their_ledger_and_clocks_differ_by_a_margin() {
    // The clock of node a went back: the ledger's order counts.
    let back = "1:-10&a 2:a.1.1@5-20 3:a.1.2<1.1@14-16 4:a.1.3<1.2@16-30";
    assert_eq!(reaches(back, by(25)), (vec![1, 2, 3, 4], 25));
    let with = |margin: i64, second: i64| {
        let request = Request { log_margin_micros: margin * 1_000_000, ..Request::at(Target::Exactly(at(second))) };
        world("1:-10&a 2:a.1.1@5-30").catalogue().plan(&request)
    };
    assert!(with(0, 30).is_ok() && with(3, 27).is_ok());
    assert_eq!(with(3, 28).unwrap_err().reason, Reason::NotExact, "the log must go past the target by the margin");
    assert_eq!(with(6, 20).unwrap_err().reason, Reason::LogStartsLate, "and begin before the state by as much");
    let plan = with(3, 27).unwrap();
    let stated = plan.warnings.iter().find(|warning| warning.code == WarningCode::ClockMargin).unwrap();
    assert!(stated.message.contains("3000000 us"), "{}", stated.message);
}

#[test]
fn i18_the_order_of_the_entries_changes_nothing() {
    everywhere(|world, request, planned| {
        let mut other = world.clone();
        let mut rng = Rng::with_seed(world.entries.len() as u64);
        rng.shuffle(&mut other.entries);
        rng.shuffle(&mut other.timelines);
        assert_eq!(&other.catalogue().plan(request), planned);
    });
}

#[test]
fn i19_nothing_after_the_target_is_in_a_plan() {
    assert_eq!(reaches("1:-10 2:10-20~26", by(25)), (vec![1], 10));
    assert_eq!(reaches("1:-10 2:10-20!deleted 3:10-40", by(25)), (vec![1], 10));
    let plans = everywhere(|world, request, planned| {
        let Ok(plan) = planned else { return };
        let limit = match (&request.target, request.strictness) {
            (Target::AtOrBefore(moment) | Target::Exactly(moment), _) => *moment,
            _ => return,
        };
        for part in plan.parts.values() {
            assert!(part.reached.settled <= limit, "{:?} of {limit}", part.reached);
            for entry in entries(world, part) {
                let first = entry.window.from.unwrap_or(entry.window.until);
                assert!(if entry.log.is_some() { first <= limit } else { entry.window.settled <= limit });
            }
        }
    });
    assert!(plans > 0 || std::env::var_os("STRONGROOM_SEED").is_some(), "no plan was made");
}

#[test]
fn i20_what_brings_deleted_things_back_says_so() {
    assert!(warns(&plan("1:-10 2:10-20^", Target::Latest).unwrap(), WarningCode::DeletesUnseen));
    assert!(!warns(&plan("1:-10^ 2:10-20", Target::Latest).unwrap(), WarningCode::DeletesUnseen), "a base has none");
    everywhere(|world, _, planned| {
        let Ok(plan) = planned else { return };
        let blind = |entry: &&Entry| entry.deletes == Deletes::Unseen && !is_base(entry);
        for (name, part) in &plan.parts {
            let unseen = entries(world, part).iter().any(blind);
            let warned = plan
                .warnings
                .iter()
                .any(|it| it.code == WarningCode::DeletesUnseen && it.part.as_deref() == Some(name.as_str()));
            assert_eq!(warned, unseen, "'{name}'");
        }
    });
}

fn is_base(entry: &Entry) -> bool {
    entry.kind == strongroom_core::model::BackupKind::Base
}
