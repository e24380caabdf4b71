//! What an event says, in a few words.

use atelier_events::export::{Selection, Variants};
use atelier_events::{ArtworkEvent, Event, ExportEvent, Recorded, SiteEvent, VariantEvent};

/// The most that is shown of a text, in characters.
const TEXT_CHARS: usize = 60;

/// The event's content in a few words; what cannot be read is said to be so.
pub(super) fn of(event: &Recorded) -> String {
    match event.event() {
        Ok(Event::Artwork(event)) => artwork(&event),
        Ok(Event::Variant(event)) => variant(&event),
        Ok(Event::Export(event)) => export(&event),
        Ok(Event::Site(event)) => site(&event),
        Err(error) => format!("({error})"),
    }
}

fn artwork(event: &ArtworkEvent) -> String {
    match event {
        ArtworkEvent::Created(created) => format!("{} by {}", quoted(&created.details.title), created.owner),
        ArtworkEvent::Published(published) => published.url.clone(),
    }
}

fn variant(event: &VariantEvent) -> String {
    match event {
        VariantEvent::Requested(requested) => {
            let recipe = &requested.recipe;
            let (provider, width, height) = (&recipe.provider, recipe.width, recipe.height);
            format!("{} {width}x{height} by {provider}, seed {}", quoted(&recipe.prompt), recipe.seed)
        }
        VariantEvent::Uploaded(uploaded) => {
            let name = if uploaded.filename.is_empty() { "taken back in" } else { &uploaded.filename };
            format!("{name}, {}", bytes(uploaded.length))
        }
        VariantEvent::Started(started) => format!("attempt {}", started.attempt),
        VariantEvent::Generated(generated) => {
            format!("{}, {} in {} ms", generated.original.key, bytes(generated.original.length), generated.elapsed_ms)
        }
        VariantEvent::Rendered(rendered) => {
            let kinds: Vec<&str> = rendered.renditions.iter().map(|rendition| rendition.kind.as_str()).collect();
            format!("{}x{}: {}", rendered.width, rendered.height, kinds.join(", "))
        }
        VariantEvent::Restored(restored) => {
            let original = restored.original.as_ref().map_or("no original", |original| original.key.as_str());
            let renditions = restored.rendered.as_ref().map_or(0, |rendered| rendered.renditions.len());
            format!("{original}, {renditions} renditions, as of {}", restored.requested_at.date())
        }
        VariantEvent::RecutRequested(asked) => asked.priority.as_str().to_owned(),
        VariantEvent::Failed(failed) => format!("{}: {}", failed.stage.as_str(), cut(&failed.error)),
    }
}

fn export(event: &ExportEvent) -> String {
    match event {
        ExportEvent::Requested(requested) => {
            let which = match requested.variants {
                Variants::Cover => "covers",
                Variants::All => "all variants",
            };
            match &requested.selection {
                Selection::All(position) => format!("{which} of all artworks as of position {position}"),
                Selection::Artworks(artworks) => format!("{which} of {} artworks", artworks.len()),
                Selection::Listed(list) => format!("{which} of what a query found, listed in {:?}", list.key),
            }
        }
        ExportEvent::Completed(completed) => {
            let missing = completed.missing.len();
            format!("{} pictures, {missing} missing, {}", completed.pictures, bytes(completed.archive.length))
        }
        ExportEvent::Failed(failed) => cut(&failed.error),
        ExportEvent::Expired(_) => "its ZIP is deleted".to_owned(),
    }
}

fn site(event: &SiteEvent) -> String {
    match event {
        SiteEvent::Deployed(deployed) => format!(
            "{} artworks as of position {}, {} of {} files written, {}",
            deployed.artworks, deployed.position, deployed.files_written, deployed.files, deployed.url
        ),
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", cut(text))
}

fn cut(text: &str) -> String {
    let start: String = text.chars().take(TEXT_CHARS).collect();
    if start.len() < text.len() { format!("{start}…") } else { start }
}

fn bytes(length: u64) -> String {
    indicatif::HumanBytes(length).to_string()
}
