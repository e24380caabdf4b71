//! What a generation goes on from: it must be there, and be the caller's where something is added to it.

use std::collections::HashSet;

use atelier_events::{Artwork, ArtworkId, Stream, VariantId};
use uuid::Uuid;

use super::command::NewGeneration;
use crate::app::App;
use crate::auth::Asking;
use crate::problem::{Flaws, Kind, Problem};

/// Refuses an artwork that is not there or is another's, and a parent that is not one of its variants.
pub(super) async fn check_artwork(
    app: &App,
    asking: &Asking,
    id: ArtworkId,
    parent: Option<VariantId>,
) -> Result<(), Problem> {
    let events = app.log.read_stream(&Stream::artwork(id)).await?;
    let mut flaws = Flaws::default();
    let Some(artwork) = Artwork::of(&events).map_err(Problem::internal)? else {
        flaws.at("/artwork_id", format!("there is no artwork {id}"));
        return Err(Problem::flawed(Kind::Unprocessable, flaws));
    };
    if artwork.owner != *asking.owner {
        flaws.at("/artwork_id", format!("artwork {id} is not yours: only its owner adds variants to it"));
        return Err(Problem::flawed(Kind::Forbidden, flaws));
    }
    if let Some(parent) = parent.filter(|parent| artwork.variant(*parent).is_none()) {
        flaws.at("/parent", format!("artwork {id} has no variant {parent}"));
    }
    flaws.refuse(Kind::Unprocessable)
}

/// Refuses variants to come from that are not there.
pub(super) async fn check_known(app: &App, command: &NewGeneration) -> Result<(), Problem> {
    // With an artwork given, its parent has been looked for in the log already.
    let parent = command.parent.filter(|_| command.artwork_id.is_none()).map(|parent| ("/parent".to_owned(), parent));
    let references = command.references.iter().enumerate().map(|(index, id)| (format!("/references/{index}"), *id));
    let wanted: Vec<(String, Uuid)> = parent.into_iter().chain(references).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let ids: Vec<VariantId> = wanted.iter().map(|(_, id)| VariantId(*id)).collect();
    let all: HashSet<VariantId> = ids.iter().copied().collect();
    let complete = || async {
        let known = app.index.find_known_variants(&ids).await?;
        Ok((known.len() == all.len()).then_some(()))
    };
    if app.find(complete).await?.is_some() {
        return Ok(());
    }
    let known = app.index.find_known_variants(&ids).await?;
    let mut flaws = Flaws::default();
    for (at, id) in wanted.into_iter().filter(|(_, id)| !known.contains(&VariantId(*id))) {
        flaws.at(at, format!("there is no variant {id}"));
    }
    flaws.refuse(Kind::Unprocessable)
}
