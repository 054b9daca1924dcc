//! Secondary indexes and functions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use strongroom_core::cluster::RestoreOptions;
use strongroom_core::engine::BackupKindWish;
use strongroom_core::model::Scope;

use super::into_the_second;
use super::place::Place;
use crate::engine::{repository, store_scope};

const LUA: &str = "function twice(record) return record['v'] * 2 end\n";

#[tokio::test(flavor = "multi_thread")]
async fn indexes_and_functions_come_back() {
    let place = Place::find().await;
    let [first, second] = &place.namespaces;
    for (namespace, index) in [(first, "sr_v"), (first, "sr_tags"), (second, "sr_v"), (second, "sr_tags")] {
        place.say(&format!("sindex-delete:namespace={namespace};indexname={index}")).await;
    }
    place.say("udf-remove:filename=sr_live.lua").await;
    let create = format!("sindex-create:namespace={first};set=users;indexname");
    assert_eq!(place.say(&format!("{create}=sr_v;bin=v;type=numeric")).await.to_lowercase(), "ok");
    let tags = format!("{create}=sr_tags;indextype=mapkeys;bin=tags;type=string");
    assert_eq!(place.say(&tags).await.to_lowercase(), "ok");
    let body = STANDARD.encode(LUA);
    let put = format!("udf-put:filename=sr_live.lua;content={body};content-len={};udf-type=LUA;", body.len());
    let told = place.say(&put).await;
    assert!(told.is_empty() || told.eq_ignore_ascii_case("ok"), "{told}");

    let repository = repository().await;
    let scope = Scope::of_parts([first.as_str()]);
    let base = store_scope(&repository, &place.cluster, BackupKindWish::Base, scope).await.unwrap();
    place.say("udf-remove:filename=sr_live.lua").await;
    assert!(!place.say("udf-list").await.contains("sr_live.lua"));
    let applied = into_the_second(&place, &repository, base.backup, RestoreOptions::default()).await.applied;
    assert!(applied.definitions >= 3, "{applied:?}");

    let indexes = place.say(&format!("sindex-list:namespace={second}")).await;
    for told in ["indexname=sr_v:", "indexname=sr_tags:", "indextype=mapkeys:"] {
        assert!(indexes.contains(told), "{told} in {indexes}");
    }
    assert!(place.say("udf-list").await.contains("sr_live.lua"));
    let function = place.say("udf-get:filename=sr_live.lua").await;
    assert!(function.contains(&STANDARD.encode(LUA)), "{function}");
    for (namespace, index) in [(first, "sr_v"), (first, "sr_tags"), (second, "sr_v"), (second, "sr_tags")] {
        place.say(&format!("sindex-delete:namespace={namespace};indexname={index}")).await;
    }
    place.say("udf-remove:filename=sr_live.lua").await;
    place.empty().await;
}
