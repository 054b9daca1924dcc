use super::*;
use crate::ByteSize;
use crate::config::{Limits, Network};
use strongroom_core::ErrorKind;

fn read(url: &str) -> Result<StorageConfig> {
    StorageConfig::from_url(url, &Options::default())
}

fn local(url: &str) -> PathBuf {
    match read(url).unwrap() {
        StorageConfig::Local(config) => config.path,
        other => panic!("{other:?}"),
    }
}

#[test]
fn folders_in_all_their_forms() {
    for url in ["/a b", "file:/a b", "file:/a%20b", "file:///a%20b", "file://localhost/a b"] {
        assert_eq!(local(url), PathBuf::from("/a b"), "{url}");
    }
    assert_eq!(local("rel/x"), PathBuf::from("rel/x"));
    assert_eq!(local("file:rel/x?read_limit=1MiB"), PathBuf::from("rel/x"));
    // A plain path is taken as it stands.
    assert_eq!(local("./a?b=%41"), PathBuf::from("./a?b=%41"));
    assert!(read("file://host/x").is_err());
    assert!(read("file:").is_err());
    assert!(read("").is_err());
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_not_utf_8_can_be_named() {
    use std::os::unix::ffi::OsStrExt as _;
    assert_eq!(local("file:/%ff").as_os_str().as_bytes(), b"/\xff");
}

#[test]
fn buckets_prefixes_and_options() {
    let config =
        read("s3://b/p/q/?endpoint=http://127.0.0.1:9000&region=eu-1&part_size=16MiB&write_limit=5MB&anonymous=true");
    let expected = StorageConfig::S3(S3Config {
        bucket: "b".into(),
        prefix: "p/q".into(),
        endpoint: Some("http://127.0.0.1:9000".into()),
        region: Some("eu-1".into()),
        anonymous: true,
        network: Network { part_size: ByteSize::mib(16), ..Network::default() },
        limits: Limits { read: None, write: Some(ByteSize(5_000_000)) },
        ..S3Config::default()
    });
    assert_eq!(config.unwrap(), expected);
    assert_eq!(read("azblob://c/x?account=a").unwrap().to_string(), "azblob://c/x");
    assert_eq!(read("gcs://b").unwrap().to_string(), "gcs://b");
    assert_eq!(read("memory:m").unwrap().to_string(), "memory:m");
}

#[test]
fn every_known_option_is_handled() {
    for url in ["/x", "s3://b", "azblob://c", "gcs://b"] {
        let mut config = read(url).unwrap();
        for name in config.known() {
            let fits = ["true", "8MiB", "8", "8s"].iter().any(|value| config.set(name, value).is_ok());
            assert!(fits, "{url} {name}");
        }
    }
}

#[test]
fn an_unknown_option_is_refused_and_the_known_ones_are_told() {
    let error = read("s3://b?regoin=x").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(
        text.contains("unknown option 'regoin'") && text.contains("region, ") && text.contains("read_limit"),
        "{text}"
    );
    assert!(read("/x?y").is_ok(), "a plain path has no options");
    assert!(read("file:/x?account=a").is_err());
    assert!(read("gcs://b?part_size=lots").unwrap_err().to_string().contains("is not a size"));
    assert!(read("ftp://x").unwrap_err().to_string().contains("s3://"));
    assert!(read("s3:b").is_err());
    assert!(read("memory:").is_err());
}

#[test]
fn secrets_are_taken_but_never_shown() {
    let url = "s3://b?access_key_id=AK&secret_access_key=hunter2&customer_key_env=CK&session_token_file=/t";
    let config = read(url).unwrap();
    let StorageConfig::S3(s3) = &config else { panic!("{config:?}") };
    assert_eq!(s3.secret_access_key, Some(Secret::text("hunter2")));
    assert_eq!(s3.customer_key, Some(Secret::Env("CK".into())));
    assert_eq!(s3.session_token, Some(Secret::File("/t".into())));
    let shown = format!("{config:?} {config} {} {}", serde_json::to_string(&config).unwrap(), redact_url(url));
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(
        redact_url(url),
        "s3://b?access_key_id=AK&secret_access_key=[secret]&customer_key_env=CK&session_token_file=/t"
    );

    // Not even when the URL is wrong, the name is misspelt or the secret stands elsewhere.
    for wrong in [
        "s3://b?secret_access_key=hunter2&bad=1",
        "s3://b?secret_acces_key=hunter2",
        "s3://AK:hunter2@b/p",
        "s3://b?endpoint=http://u:hunter2@host&bad=1",
        "ftp://x:hunter2@y",
    ] {
        let error = read(wrong).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert!(!redact_url(wrong).contains("hunter2"), "{wrong}");
    }
}

#[test]
fn a_profile_reads_like_a_url_and_refuses_what_it_does_not_know() {
    let text = r#"
        type = "s3"
        bucket = "b"
        region = "eu-1"
        access_key_id = "AK"
        secret_access_key = { env = "BACKUP_SECRET" }
        [network]
        part_size = "16MiB"
        timeout = 30
        [limits]
        write = "20MB"
    "#;
    let config: StorageConfig = toml::from_str(text).unwrap();
    let url = "s3://b?region=eu-1&access_key_id=AK&secret_access_key_env=BACKUP_SECRET&part_size=16MiB&timeout=30s&write_limit=20MB";
    assert_eq!(config, read(url).unwrap());
    let again: StorageConfig = toml::from_str(&toml::to_string(&config).unwrap()).unwrap();
    assert_eq!(again, config);
    for wrong in [
        "type = \"s3\"\nbucket = \"b\"\nregoin = \"x\"",
        "type = \"ftp\"",
        "type = \"local\"\npath = \"/x\"\n[limits]\nr = 1",
    ] {
        assert!(toml::from_str::<StorageConfig>(wrong).is_err(), "{wrong}");
    }
    let azure: StorageConfig = toml::from_str("type = \"azblob\"\ncontainer = \"c\"").unwrap();
    assert_eq!(azure.to_string(), "azblob://c");
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(url in "\\PC{0,60}") {
        let _ = read(&url);
        let _ = redact_url(&url);
    }
}
