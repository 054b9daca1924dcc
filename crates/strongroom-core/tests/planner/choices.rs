//! Which of several ways is taken, where each of them would do.

use strongroom_core::planner::{Request, Target};

use crate::picture::{at, world};

/// The numbers of the steps of the plan for a second.
fn steps(picture: &str, second: i64) -> Vec<u128> {
    let plan = world(picture).catalogue().plan(&Request::at(Target::AtOrBefore(at(second)))).unwrap();
    plan.steps().map(|(_, step)| u128::from_be_bytes(*step.backup.as_bytes())).collect()
}

/// 4 needs 3 in the state that it was taken of, which only the dear base 2 leaves; 3 by itself goes onto the cheap base 1.
/// What 3 costs on the way to 4 is not what it costs as a start: from there the log is the cheaper way.
#[test]
fn what_a_detour_costs_is_not_what_its_rows_cost_by_themselves() {
    let states = "1:-10~25*0x10&a 2:-10*0x50&a 3:10-20*0x1&a 4:3@20-30*0x1&a";
    let logs = "5:a.1.1@5-15*0x10 6:a.1.2<1.1@15-30*0x10 7:a.1.3<1.2@30-45*0x1";
    assert_eq!(steps(states, 30), [2, 3, 4], "without logs there is no other way");
    assert_eq!(steps(&format!("{states} {logs}"), 40), [1, 3, 6, 7]);
}
