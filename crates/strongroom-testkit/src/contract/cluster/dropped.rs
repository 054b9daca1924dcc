//! Clauses on dropping any future, at any await point.

use futures::StreamExt as _;
use strongroom_core::cluster::FreezeRequest;

use super::copy::{body_of, read_all};
use super::{Check, default_options, granted, same_contents};
use crate::contract::polls::poll_at_most;

const MOST_POLLS: usize = 6;

impl Check<'_> {
    pub(super) async fn dropped_while_reading(&self) {
        let wanted = self.fixture.contents().await;
        let cluster = &self.cluster;
        for polls in 0..MOST_POLLS {
            poll_at_most(polls, Box::pin(cluster.describe())).await;
            if let Some(frozen) = poll_at_most(polls, Box::pin(cluster.freeze(&FreezeRequest::default()))).await {
                let frozen = granted("freeze", frozen);
                poll_at_most(polls, Box::pin(cluster.release(&frozen))).await;
                granted("release after one that was dropped", cluster.release(&frozen).await);
            }
            let frozen = self.freeze(&FreezeRequest::default()).await;
            for part in &frozen.parts {
                poll_at_most(polls, Box::pin(read_all(&**cluster, part))).await;
                for piece in part.pieces.iter().take(3) {
                    drop(granted("read", cluster.read(piece).await));
                    let mut reader = granted("read", cluster.read(piece).await);
                    poll_at_most(polls, Box::pin(reader.body.next())).await;
                    drop(reader);
                }
                granted("read after dropped reads", read_all(&**cluster, part).await);
            }
            granted("release", cluster.release(&frozen).await);
        }
        same_contents("dropped reads change nothing", &self.fixture.contents().await, &wanted);
    }

    pub(super) async fn dropped_while_restoring(&self) {
        let wanted = self.fixture.contents().await;
        let copy = self.take(&FreezeRequest::default()).await;
        for polls in 0..MOST_POLLS {
            let target = self.fixture.fresh_target().await;
            let (cluster, id, options) = (target.cluster(), self.session(), default_options());
            let outline = copy.outline();
            poll_at_most(polls, Box::pin(cluster.check_restore(&outline, &options))).await;
            poll_at_most(polls, Box::pin(cluster.begin_restore(id, &outline, &options))).await;
            let session = granted(
                "begin_restore after one that was dropped",
                cluster.begin_restore(id, &outline, &options).await,
            );
            for (step, part) in (0..).zip(&copy.parts) {
                let name = &part.frozen.part;
                for (spec, bytes, _) in Self::in_order(part).concat() {
                    let body = body_of(bytes, bytes.len() / 3 + 1);
                    poll_at_most(polls, Box::pin(cluster.write(&session, step, name, spec, body))).await;
                    let again = cluster.write(&session, step, name, spec, body_of(bytes, 3000)).await;
                    granted("write after one that was dropped", again);
                }
                poll_at_most(polls, Box::pin(cluster.seal_step(&session, step))).await;
                granted("seal_step after one that was dropped", cluster.seal_step(&session, step).await);
            }
            poll_at_most(polls, Box::pin(cluster.finish_restore(session.clone()))).await;
            granted("finish_restore after one that was dropped", cluster.finish_restore(session).await);
            let clause = format!("a restore whose calls were dropped after {polls} polls and made again");
            same_contents(&clause, &target.contents().await, &wanted);
        }
    }
}
