//! The providers' own ways to find credentials: environment and files. Each needs a process whose environment is its own.

use std::path::Path;
use std::process::Command;

use strongroom_core::{PutMode, StorageExt as _};
use strongroom_storage::{Options, open};

use crate::azblob::AzBlob;
use crate::clouds::{Cloud as _, key, put};
use crate::gcs::Gcs;
use crate::s3::S3;

/// Started by the tests below as a process of its own: writes and reads by the URL that it is given.
#[tokio::test]
async fn chain_process() {
    let Ok(url) = std::env::var("STRONGROOM_TEST_URL") else { return };
    let storage = open(&url, &Options::default()).unwrap();
    put(&*storage, "a", PutMode::Overwrite, b"by the chain").await.unwrap();
    assert_eq!(storage.get(&key("a"), 100).await.unwrap(), "by the chain");
}

fn runs(url: &str, environment: &[(&str, &str)]) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["chain::chain_process", "--exact", "--test-threads=1"]).env("STRONGROOM_TEST_URL", url);
    for name in std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("AWS_") || name.starts_with("AZ"))
    {
        command.env_remove(name);
    }
    for name in ["GOOGLE_APPLICATION_CREDENTIALS", "GCE_METADATA_HOST", "XDG_CONFIG_HOME", "HOME"] {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied()).output().unwrap().status.success()
}

#[test]
fn s3_takes_the_environment_then_a_profile_file() {
    let url = format!("s3://test/chain?endpoint=http://127.0.0.1:{}&retries=0&instance_metadata=false", S3.port());
    let region = ("AWS_REGION", "us-east-1");
    let keys = [("AWS_ACCESS_KEY_ID", "testkey"), ("AWS_SECRET_ACCESS_KEY", S3.good_key())];
    assert!(runs(&url, &[region, keys[0], keys[1]]));
    assert!(!runs(&url, &[region, keys[0], ("AWS_SECRET_ACCESS_KEY", "wrong")]));
    assert!(!runs(&url, &[keys[0], keys[1]]), "without a region nothing can be signed");

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let secret = S3.good_key();
    let credentials = file(
        "credentials",
        &format!(
            "[default]\naws_access_key_id = nobody\naws_secret_access_key = x\n\
             [backup]\naws_access_key_id = testkey\naws_secret_access_key = {secret}\n"
        ),
    );
    let config = file("config", "");
    let files = [region, ("AWS_SHARED_CREDENTIALS_FILE", &*credentials), ("AWS_CONFIG_FILE", &*config)];
    assert!(runs(&format!("{url}&profile=backup"), &files));
    assert!(!runs(&url, &files), "the default profile is another one");
}

#[test]
fn azure_takes_the_environment() {
    let url = format!(
        "azblob://test/chain?account=devstoreaccount1&endpoint=http://127.0.0.1:{}/devstoreaccount1&retries=0",
        AzBlob.port()
    );
    let key = AzBlob.good_key().replace("%3D", "=");
    let account = ("AZURE_STORAGE_ACCOUNT_NAME", "devstoreaccount1");
    assert!(runs(&url, &[account, ("AZURE_STORAGE_ACCOUNT_KEY", &key)]));
    assert!(!runs(&url, &[account, ("AZURE_STORAGE_ACCOUNT_KEY", "d3Jvbmc=")]));
}

#[test]
fn gcs_takes_a_file_that_the_environment_names_then_a_login_then_the_machine() {
    let host = format!("127.0.0.1:{}", Gcs.port());
    let url = |metadata| format!("gcs://test/chain?endpoint=http://{host}&retries=0&instance_metadata={metadata}");
    let folder = tempfile::tempdir().unwrap();
    // The identity of a workload: a token of its own, which Google exchanges.
    let account = |name: &str, workload: &str| {
        let token = folder.path().join(format!("{name}-token"));
        std::fs::write(&token, workload).unwrap();
        let account = serde_json::json!({
            "type": "external_account", "audience": "pool", "token_url": format!("http://{host}/v1/token"),
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": { "file": token, "format": { "type": "text" } },
        });
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, account.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (good, bad) = (account("good.json", "a workload"), account("bad.json", "another"));
    let named = [&*good, &*bad].map(|file| [("GOOGLE_APPLICATION_CREDENTIALS", file)]);
    assert!(runs(&url(false), &named[0]));
    assert!(!runs(&url(false), &named[1]));
    assert!(!runs(&url(false), &[]));
    assert!(runs(&format!("{}&credential_file={good}", url(false)), &named[1]), "what is said goes first");

    std::fs::create_dir(folder.path().join("gcloud")).unwrap();
    account("gcloud/application_default_credentials.json", "a workload");
    let login = ("XDG_CONFIG_HOME", folder.path().to_str().unwrap());
    assert!(runs(&url(false), &[login]));

    let machine = ("GCE_METADATA_HOST", &*host);
    assert!(runs(&url(true), &[machine]));
    assert!(!runs(&url(false), &[machine]), "the machine is not asked");
}

#[test]
fn secrets_come_from_a_file_or_a_variable_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, format!("{}\n", S3.good_key())).unwrap();
    let url = format!("s3://test/chain?endpoint=http://127.0.0.1:{}&region=us-east-1&access_key_id=testkey", S3.port());
    assert!(runs(&format!("{url}&secret_access_key_file={}", Path::new(&path).display()), &[]));
    assert!(runs(&format!("{url}&secret_access_key_env=BACKUP_SECRET"), &[("BACKUP_SECRET", S3.good_key())]));
    assert!(!runs(&format!("{url}&secret_access_key_env=BACKUP_SECRET"), &[]));
}
