//! What is taken and what is cut from it: settings with their defaults.

use atelier_events::RenditionKind;
use serde::{Deserialize, Serialize};

/// What renditions look like and what an upload may be.
///
/// Two sets cut under equal policies from equal bytes are equal byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// What an upload may be.
    pub limits: Limits,
    /// Longest side of the display rendition in pixels, at most 16383.
    pub display_side_px: u16,
    /// JPEG quality of the display rendition, 1 to 100.
    pub display_quality: u8,
    /// Side of the square thumb in pixels, at most 16383.
    pub thumb_side_px: u16,
    /// JPEG quality of the thumb, 1 to 100.
    pub thumb_quality: u8,
    /// Side of the square icon in pixels; never larger than the thumb, which it is cut from.
    pub icon_side_px: u16,
    /// JPEG quality of the icon, 1 to 100.
    pub icon_quality: u8,
    /// The preview fits a square of this side in pixels, at most 16383.
    pub preview_side_px: u16,
    /// WebP quality of the preview, 1 to 100.
    pub preview_quality: u8,
    /// Quality of the renditions of 1280 and 640 pixels as JPEG and as WebP, 1 to 100.
    pub medium_quality: u8,
    /// JPEG quality of the card, 1 to 100.
    pub card_quality: u8,
    /// An animation fits a square of this side in pixels, at most 4096.
    pub animation_side_px: u16,
    /// WebP quality of an animation's frames, 1 to 100.
    pub animation_quality: u8,
    /// Frames of an animation that are kept, from the first.
    pub animation_frames: u32,
    /// What is cut beside display, thumb, icon and preview, where the original has it to give.
    pub extras: Vec<RenditionKind>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            display_side_px: 2048,
            display_quality: 85,
            thumb_side_px: 300,
            thumb_quality: 80,
            icon_side_px: 128,
            icon_quality: 80,
            preview_side_px: 256,
            preview_quality: 90,
            medium_quality: 80,
            card_quality: 85,
            animation_side_px: 480,
            animation_quality: 75,
            animation_frames: 300,
            extras: vec![
                RenditionKind::Lossless,
                RenditionKind::Medium1280,
                RenditionKind::Medium1280Webp,
                RenditionKind::Medium640,
                RenditionKind::Medium640Webp,
                RenditionKind::Card,
                RenditionKind::Animation,
            ],
        }
    }
}

/// What an upload may be. The gate holds every one of these before a decoder sees a byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Bytes of the file: 64 MiB.
    pub max_bytes: u64,
    /// Pixels along one side: 16384.
    pub max_side_px: u32,
    /// Pixels of one picture: 50 million.
    pub max_area_px: u64,
    /// Scans of a JPEG: 64.
    pub max_scans: u64,
    /// Scans of a JPEG times its pixels, the work a scan bomb makes: two thousand million.
    pub max_scan_px: u64,
    /// Pixels a JPEG may claim for each byte it has: 1024. A plain white one from a common encoder claims 170.
    pub max_jpeg_px_per_byte: u64,
    /// Bytes of tables in a JPEG: 1 MiB. With as many as 64 scans can use it has 140 kB.
    pub max_table_bytes: u64,
    /// Bytes of text, profiles and other data beside the pixels in a JPEG, PNG, WebP or GIF: 8 MiB.
    pub max_metadata_bytes: u64,
    /// Bytes of a colour profile once unpacked: 4 MiB, more than any printer's. Beyond that the picture is taken for sRGB.
    pub max_profile_bytes: u64,
    /// Frames of an animation, though only the first is shown: 2000.
    pub max_frames: u64,
    /// Pixels of all frames of an animation together: 1000 million.
    pub max_frame_px: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_side_px: 16_384,
            max_area_px: 50_000_000,
            max_scans: 64,
            max_scan_px: 2_000_000_000,
            max_jpeg_px_per_byte: 1024,
            max_table_bytes: 1 << 20,
            max_metadata_bytes: 8 << 20,
            max_profile_bytes: 4 << 20,
            max_frames: 2000,
            max_frame_px: 1_000_000_000,
        }
    }
}
