//! How the database is reached.

use anyhow::Context as _;
use atelier_e2e::Database;
use atelier_events::connect::{self, CONNECTIONS_MIN, ConnectError, options};
use atelier_events::settings::DatabaseSettings;
use sqlx::ConnectOptions as _;
use sqlx::postgres::PgSslMode;

#[test]
fn on_this_machine_there_is_no_tls_unless_the_address_says_so() -> anyhow::Result<()> {
    if std::env::var_os("PGSSLMODE").is_some() {
        return Ok(());
    }
    for (url, disabled) in [
        ("postgres://127.0.0.1/atelier", true),
        ("postgres://ada:secret@127.8.8.8:5433/atelier", true),
        ("postgres://localhost/atelier", true),
        ("postgres://[::1]/atelier", true),
        ("postgres://db.example.org/atelier", false),
        ("postgres://10.0.0.7/atelier", false),
        ("postgres://localhost.example.org/atelier", false),
        ("postgres://127.0.0.1/atelier?sslmode=prefer", false),
        ("postgres://localhost/atelier?sslmode=require", false),
    ] {
        let settings = DatabaseSettings { url: url.to_owned(), ..DatabaseSettings::default() };
        let mode = options(&settings)?.get_ssl_mode();
        assert_eq!(matches!(mode, PgSslMode::Disable), disabled, "{url}: {mode:?}");
    }
    Ok(())
}

#[tokio::test]
async fn so_few_connections_that_they_would_wait_for_each_other_are_refused_with_the_setting_s_name()
-> anyhow::Result<()> {
    let database = Database::empty().await?;
    for connections in 0..CONNECTIONS_MIN {
        let settings = DatabaseSettings { connections, ..database.settings() };
        let refused = connect::database(&settings).await.err().map(|error| error.to_string()).unwrap_or_default();
        let expected = format!("database.connections is {connections}, and a daemon needs 4");
        assert!(refused.starts_with(&expected), "{refused:?}");
    }
    let settings = DatabaseSettings { connections: CONNECTIONS_MIN, ..database.settings() };
    connect::database(&settings).await?;
    Ok(())
}

#[tokio::test]
async fn a_login_that_is_refused_names_the_user_and_the_setting() -> anyhow::Result<()> {
    let database = Database::empty().await?;
    let nobody = options(&database.settings())?.username("nobody_of_this_name");
    let error = nobody.connect().await.err().context("Postgres knows them")?;
    let refused = ConnectError::of(error, nobody.get_username()).to_string();
    let expected =
        "the database lets user \"nobody_of_this_name\" not log in: correct database.url (ATELIER__DATABASE__URL)";
    assert!(refused.starts_with(expected), "{refused:?}");
    Ok(())
}
