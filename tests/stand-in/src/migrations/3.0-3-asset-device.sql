ALTER TABLE asset DROP COLUMN "deviceAssetId", DROP COLUMN "deviceId";
