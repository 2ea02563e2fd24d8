use std::io;
use std::path::{Path, PathBuf};

use deadpool_postgres::Object;
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use crate::error::Refusal;
use crate::media::place;

/// How much of the original stands for its thumbnail.
const LENGTH: u64 = 16 << 10;

/// Puts the beginning of an original where its thumbnail would be. No image is made: this is only
/// a file that can be lost and made again.
pub(crate) async fn make(
    client: &Object,
    media: &Path,
    user: Uuid,
    asset: Uuid,
    original: &Path,
) -> Result<(), Refusal> {
    let name = format!("{asset}_thumbnail.webp");
    let path = place(media, "thumbs", &user.to_string(), &name);
    copy(original, &path).await?;
    client
        .execute(
            "INSERT INTO asset_file (\"assetId\", type, path) VALUES ($1, 'thumbnail', $2)
             ON CONFLICT (\"assetId\", type) DO UPDATE SET path = excluded.path",
            &[&asset, &path.to_string_lossy().as_ref()],
        )
        .await?;
    Ok(())
}

async fn copy(from: &Path, to: &PathBuf) -> io::Result<()> {
    let mut beginning = Vec::new();
    let file = tokio::fs::File::open(from).await?;
    file.take(LENGTH).read_to_end(&mut beginning).await?;
    if let Some(folder) = to.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    tokio::fs::write(to, beginning).await
}

/// Makes the thumbnails of all assets again, as a queue's start with `force` does.
pub(crate) async fn make_all(client: &Object, media: &Path) -> Result<(), Refusal> {
    let rows = client
        .query("SELECT \"ownerId\", id, \"originalPath\" FROM asset", &[])
        .await?;
    for row in rows {
        let path: String = row.get(2);
        if let Err(error) = make(client, media, row.get(0), row.get(1), Path::new(&path)).await {
            tracing::warn!("no thumbnail for {path}: {error:?}");
        }
    }
    Ok(())
}
