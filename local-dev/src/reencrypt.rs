//! `cargo dev reencrypt`: moves stored secrets to the first key of `ENCRYPTION_KEY`, as `migrate` does in the cloud.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use shared_core::{
    Db,
    config::{self, DatabaseConfig, Env},
    reencryption::{self, Mode, Report},
    secrets::Cipher,
};

use crate::{
    build::workspace_root,
    secrets,
    stack::{DATABASE_FILE, database_at},
};

/// Options of `cargo dev reencrypt`.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct ReencryptArgs {
    /// The libSQL server at URL in place of the file, with the token in DATABASE_AUTH_TOKEN if it wants one
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Directory with secrets.env and the database file [default: .dev in the repository]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Only tells how much is stored under which key
    #[arg(long)]
    pub count: bool,
}

/// Does it, and prints how far it came and which key is still needed.
pub async fn command(args: ReencryptArgs) -> Result<()> {
    let data_dir = args.data.map_or_else(|| Ok(workspace_root()?.join(".dev")), anyhow::Ok)?;
    let database = match args.database {
        Some(url) => database_at(&url)?,
        None => DatabaseConfig::File(data_dir.join(DATABASE_FILE)),
    };
    if matches!(&database, DatabaseConfig::File(path) if !path.exists()) {
        bail!("there is no database in {}", data_dir.display());
    }
    let variables = Env::new(secrets::load_or_create(&data_dir)?);
    let keys = config::load_from(variables, Env::encryption_keys)?;
    let mode = if args.count { Mode::Count } else { Mode::Reencrypt };
    let progress = |report: &Report| println!("{} values encrypted anew", report.reencrypted);
    let (db, cipher) = (Db::new(&database), Cipher::with_keys(&keys));
    let report = reencryption::run(&db, &cipher, mode, None, progress).await;
    let report = report.context("the database does not work; run it again, what is done stays done")?;
    print!("{}", summary(&report));
    Ok(())
}

fn summary(report: &Report) -> String {
    let mut text = String::new();
    for (index, key) in report.keys.iter().enumerate() {
        let what = match (index, key.values) {
            (0, _) => "the first key, which writes",
            (_, 0) => "not needed any more",
            _ => "still needed",
        };
        text += &format!("key {}: {} values ({what})\n", key.id, key.values);
    }
    if report.unreadable > 0 {
        let rows = report.unreadable_rows.join(", ");
        text += &format!("no key reads {} values, among them those of {rows}\n", report.unreadable);
    }
    text
}

#[cfg(test)]
mod tests {
    use shared_core::{
        ProviderName, Timestamp, migrations,
        settings::{self, NewSetting},
    };

    use super::*;

    #[tokio::test]
    async fn an_old_key_can_go_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let old = secrets::load_or_create(dir.path()).unwrap()["ENCRYPTION_KEY"].clone();
        let db = Db::new(&DatabaseConfig::File(dir.path().join(DATABASE_FILE)));
        let args = ReencryptArgs { database: None, data: Some(dir.path().to_owned()), count: false };
        assert!(command(args.clone()).await.unwrap_err().to_string().starts_with("there is no database"));

        migrations::migrate(&db).await.unwrap();
        let cipher = |keys: &str| {
            let env = Env::new([("ENCRYPTION_KEY".to_owned(), keys.to_owned())]);
            Cipher::with_keys(&config::load_from(env, Env::encryption_keys).unwrap())
        };
        let new = NewSetting::LlmApiKey { provider: ProviderName::OpenAi, api_key: "sk-1".into(), active: true };
        settings::create(&db, &cipher(&old), new, Timestamp::now()).await.unwrap();
        let newer = "A".repeat(43) + "=";
        std::fs::write(dir.path().join(secrets::SECRETS_FILE), format!("ENCRYPTION_KEY={newer},{old}\n")).unwrap();
        command(ReencryptArgs { count: true, ..args.clone() }).await.unwrap();
        let readable = async |keys: &str| {
            let stored = settings::find_active_llm_key(&db, ProviderName::OpenAi).await.unwrap().unwrap();
            cipher(keys).decrypt(&stored).is_ok()
        };
        assert!(readable(&old).await && !readable(&newer).await, "only counted");
        command(args).await.unwrap();
        assert!(readable(&newer).await && !readable(&old).await);
    }

    #[test]
    fn it_says_which_key_can_go() {
        let mut report = Report {
            complete: true,
            reencrypted: 0,
            keys: ["11111111", "22222222", "33333333"]
                .map(|id| reencryption::KeyUse { id: id.to_owned(), values: 0 })
                .to_vec(),
            unreadable: 1,
            unreadable_rows: vec!["settings/x".to_owned()],
        };
        report.keys[1].values = 2;
        assert_eq!(
            summary(&report),
            "key 11111111: 0 values (the first key, which writes)\nkey 22222222: 2 values (still needed)\n\
             key 33333333: 0 values (not needed any more)\nno key reads 1 values, among them those of settings/x\n"
        );
    }
}
