//! How the database is reached.

use atelier_events::connect::options;
use atelier_events::settings::DatabaseSettings;
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
