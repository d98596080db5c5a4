-- +goose Up
-- The slots of a schedule are those of its expression behind this instant: when
-- it was made, resumed, or given another expression. NULL is when it was made.
ALTER TABLE schedules ADD COLUMN active_since TEXT;
