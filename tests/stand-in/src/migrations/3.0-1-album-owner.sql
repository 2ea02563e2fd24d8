-- The owner of an album becomes one of its users.
INSERT INTO album_user ("albumId", "userId", role)
SELECT id, "ownerId", 'owner' FROM album
ON CONFLICT ("albumId", "userId") DO UPDATE SET role = 'owner';
ALTER TABLE album DROP COLUMN "ownerId";
