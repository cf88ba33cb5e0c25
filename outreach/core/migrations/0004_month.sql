-- What a submission holds lies in one month's partitions: it says which, so that its messages are found there at once.
ALTER TABLE submission ADD COLUMN scheduled_month date;
UPDATE submission s SET scheduled_month = o.scheduled_month FROM occurrence o WHERE o.id = s.occurrence_id;
ALTER TABLE submission ALTER COLUMN scheduled_month SET NOT NULL;
