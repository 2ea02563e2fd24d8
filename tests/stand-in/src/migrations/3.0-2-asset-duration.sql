-- "0:01:02.50000" becomes 62500 milliseconds; a photo has none.
ALTER TABLE asset ALTER COLUMN duration TYPE integer USING
    nullif((extract(epoch FROM duration::interval) * 1000)::integer, 0);
