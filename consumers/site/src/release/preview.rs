//! What a deploy to the folder would change.

use std::sync::Arc;

use super::{Compare, DeployError, Extent, Folder, Started, blocking};
use crate::pages::{Site, media_path};
use crate::target::Difference;

impl Folder {
    /// What [`Folder::deploy`] would change. Renders what that would, fetches nothing, and leaves the folder as it is.
    pub async fn preview(&self, extent: Extent, site: Arc<Site>, compare: Compare) -> Result<Difference, DeployError> {
        let folder = self.clone();
        blocking(move || {
            let mut difference = Difference::default();
            let Started::Staging(staging, missing) = folder.start(extent, &site, compare)? else {
                return Ok(difference);
            };
            staging.render(&site)?;
            for touch in staging.touched()? {
                match touch.after {
                    Some(after) => drop(difference.puts.insert(touch.path, after.length)),
                    None => drop(difference.gone.insert(touch.path)),
                }
            }
            difference.puts.extend(missing.into_iter().map(|image| (media_path(&image.key), image.length)));
            Ok(difference)
        })
        .await
    }
}
