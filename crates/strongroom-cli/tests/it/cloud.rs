//! The main jobs with a repository in a real S3 server, by URL and by profile.

use std::path::Path;

use serde_json::Value;
use strongroom::storage::{S3Config, Secret, StorageConfig};
use strongroom::{Key, StorageExt as _};

use crate::world::{World, data, files, text};

#[path = "../../../strongroom-storage/tests/storage/support/server.rs"]
pub(crate) mod server;

use server::Server;

const SECRET: &str = "testsecret123";

/// A folder of its own, and a server.
struct Cloud {
    world: World,
    server: Server,
}

impl Cloud {
    fn url(&self, prefix: &str) -> String {
        format!("s3://test/{prefix}?region=us-east-1&endpoint=http://127.0.0.1:{}", self.server.port)
    }

    /// What a run that must end with `code` printed, on standard output if that is no error.
    fn ends(&self, code: i32, line: &str, secret: &str) -> String {
        let mut command = self.world.command(line);
        command.env("AWS_ACCESS_KEY_ID", "testkey").env("AWS_SECRET_ACCESS_KEY", secret);
        let output = command.output().unwrap();
        let (out, errors) = (text(output.stdout), text(output.stderr));
        assert_eq!(output.status.code(), Some(code), "{line}\n{out}\n{errors}");
        assert!(!out.contains(secret) && !errors.contains(secret), "a secret was shown: {line}\n{out}\n{errors}");
        if code == 0 { out } else { errors }
    }

    /// The storage at [`Cloud::url`].
    fn storage(&self, prefix: &str) -> StorageConfig {
        StorageConfig::S3(S3Config {
            bucket: "test".to_owned(),
            prefix: prefix.to_owned(),
            endpoint: Some(format!("http://127.0.0.1:{}", self.server.port)),
            region: Some("us-east-1".to_owned()),
            access_key_id: Some("testkey".to_owned()),
            secret_access_key: Some(Secret::text(SECRET)),
            ..S3Config::default()
        })
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.ends(0, &format!("{line} --json"), SECRET)).unwrap()
    }
}

#[test]
fn the_main_jobs_work_with_a_repository_in_a_cloud() {
    let cloud = Cloud { world: World::with_base(), server: Server::start("s3", &[], &[]) };
    let (world, url) = (&cloud.world, cloud.url("app"));
    cloud.ends(0, &format!("init {url} --codecs zstd:1"), SECRET);
    cloud.ends(0, &format!("backup embedded:app.redb {url}"), SECRET);
    world.ends(0, &format!("import {} --into embedded:app.redb", data("t1-incremental").display()));
    cloud.ends(0, &format!("backup embedded:app.redb {url}"), SECRET);
    let listed = cloud.json(&format!("list {url}"));
    let kinds: Vec<_> = listed["backups"].as_array().unwrap().iter().map(|backup| backup["kind"].clone()).collect();
    assert_eq!(kinds, ["base", "incremental"]);
    cloud.ends(0, &format!("verify {url} --depth decode"), SECRET);
    cloud.ends(0, &format!("status {url} --max-age 1h"), SECRET);

    cloud.ends(0, &format!("restore {url} --into embedded:drill.redb"), SECRET);
    let held = |cluster: &str| world.json(&format!("inspect embedded:{cluster} --records --limit 100000"));
    assert_eq!(held("drill.redb"), held("app.redb"));
    let seen = cloud.json(&format!("inspect {url}"));
    assert_eq!(seen["namespaces"], world.json("inspect embedded:app.redb")["namespaces"]);

    // To another place, and there all but the newest point goes.
    let second = cloud.url("second");
    let copied = cloud.json(&format!("copy {url} {second}"));
    assert_eq!(copied["backups"].as_array().unwrap().len(), 2, "{copied}");
    world.ends(0, &format!("import {} --into embedded:app.redb", data("t2-incremental").display()));
    cloud.ends(0, &format!("backup embedded:app.redb {second} --kind base"), SECRET);
    cloud.ends(0, &format!("prune {second} --keep-last 1 --grace 0s"), SECRET);
    let listed = cloud.json(&format!("list {second}"));
    assert_eq!(listed["backups"].as_array().unwrap().len(), 1, "{listed}");
    cloud.ends(0, &format!("verify {second} --depth decode"), SECRET);
    cloud.ends(0, &format!("restore {second} --into embedded:second.redb"), SECRET);
    assert_eq!(held("second.redb"), held("app.redb"));
    cloud.ends(0, &format!("verify {url} --depth decode"), SECRET);

    // The same place by a profile.
    let listed = cloud.json(&format!("list {url}"));
    let port = cloud.server.port;
    let profile = format!(
        "[repositories.cloud.storage]\ntype = 's3'\nbucket = 'test'\nprefix = 'app'\nregion = 'us-east-1'\n\
         endpoint = 'http://127.0.0.1:{port}'\naccess_key_id = 'testkey'\n\
         secret_access_key = {{ env = 'BACKUP_SECRET' }}\n"
    );
    world.write("strongroom.toml", &profile);
    let listed_again = world.command("list cloud --json").env("BACKUP_SECRET", SECRET).output().unwrap();
    assert!(listed_again.status.success(), "{listed_again:?}");
    assert_eq!(serde_json::from_slice::<Value>(&listed_again.stdout).unwrap()["backups"], listed["backups"]);
    assert!(world.ends(7, "list cloud").contains("BACKUP_SECRET"), "a secret that is not there is named");
}

#[tokio::test]
async fn a_service_storage_in_a_cloud_is_adopted_and_imported_from_there() {
    let cloud = Cloud { world: World::new(), server: Server::start("s3", &[], &[]) };
    let (world, storage, from) = (&cloud.world, cloud.storage("service").open().unwrap(), data("abs-storage"));
    for file in files(&from) {
        let name = file.strip_prefix(&from).ok().and_then(Path::to_str).unwrap();
        storage.put_new(&Key::new(name).unwrap(), std::fs::read(&file).unwrap().into()).await.unwrap();
    }
    let url = cloud.url("service");
    cloud.ends(0, "init file:backups", SECRET);
    let report = cloud.json(&format!("adopt {url} file:backups --routine daily"));
    assert_eq!(report["adopted"].as_array().unwrap().len(), 3, "{report}");
    world.ends(0, "restore file:backups --into embedded:ours.redb");
    cloud.ends(0, &format!("import {url} --into embedded:theirs.redb"), SECRET);
    let held = |cluster: &str| world.json(&format!("inspect embedded:{cluster} --records --limit 100000"));
    assert_eq!(held("ours.redb"), held("theirs.redb"));

    let missing = cloud.ends(5, &format!("adopt {url} file:backups --routine weekly"), SECRET);
    assert!(missing.contains("'/weekly/'"), "{missing}");
    let denied = cloud.ends(7, &format!("adopt {url} file:backups"), "another-secret-77");
    assert!(denied.contains("next: "), "{denied}");
}

#[test]
fn a_cloud_that_refuses_or_is_not_there_is_told_once_and_clearly() {
    let cloud = Cloud { world: World::with_base(), server: Server::start("s3", &[], &[]) };
    let url = cloud.url("app");
    cloud.ends(0, &format!("init {url}"), SECRET);
    let denied = cloud.ends(7, &format!("backup embedded:app.redb {url}"), "another-secret-77");
    assert!(denied.contains("next: "), "{denied}");
    let missing = cloud.ends(5, &format!("list {}", cloud.url("nothing")), SECRET);
    assert!(missing.contains("next: "), "{missing}");
    let nowhere = "s3://test/app?region=us-east-1&endpoint=http://127.0.0.1:1&retries=0";
    let gone = cloud.ends(8, &format!("list {nowhere}"), SECRET);
    assert!(gone.contains("next: ") && gone.contains("Connection refused"), "{gone}");
}
