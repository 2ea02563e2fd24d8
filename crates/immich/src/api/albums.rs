use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Call, Client, Result};

/// An album. Its assets are found with [`Client::search_metadata`]: Immich 3 no longer sends them
/// along.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Album {
    /// The album.
    pub id: Uuid,
    /// Its name.
    pub album_name: String,
    /// What its owner says of it.
    #[serde(default)]
    pub description: String,
    /// How many assets it holds.
    pub asset_count: u64,
}

/// An album to be made.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewAlbum {
    /// Its name.
    pub album_name: String,
    /// What to say of it.
    pub description: String,
    /// The assets it begins with.
    pub asset_ids: Vec<Uuid>,
}

/// What became of one asset put into an album.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlbumChange {
    /// The asset.
    pub id: Uuid,
    /// Whether it is now in the album because of this call.
    pub success: bool,
    /// Why not, such as `duplicate` or `no_permission`.
    pub error: Option<String>,
}

impl Client {
    /// The credential's own albums.
    ///
    /// # Errors
    /// As every call.
    pub fn albums(&self) -> Result<Vec<Album>> {
        self.fetch(&Call::get("list the albums", "/api/albums"))
    }

    /// One album.
    ///
    /// # Errors
    /// As every call; status 400 when there is none with this id, or it is someone else's.
    pub fn album(&self, id: Uuid) -> Result<Album> {
        self.fetch(&Call::get("read an album", format!("/api/albums/{id}")))
    }

    /// Makes an album.
    ///
    /// # Errors
    /// As every call.
    pub fn create_album(&self, album: &NewAlbum) -> Result<Album> {
        self.send(&Call::post("create an album", "/api/albums"), album)
    }

    /// Puts assets into an album; each one's fate is told by itself.
    ///
    /// # Errors
    /// As every call.
    pub fn add_to_album(&self, album: Uuid, assets: &[Uuid]) -> Result<Vec<AlbumChange>> {
        #[derive(Serialize)]
        struct Ids<'a> {
            ids: &'a [Uuid],
        }
        self.send(
            &Call::put("fill an album", format!("/api/albums/{album}/assets")),
            &Ids { ids: assets },
        )
    }
}
