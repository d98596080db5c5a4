-- +goose Up
-- What waits for a person is looked for after every change: each of these holds
-- a few rows.
CREATE INDEX schedules_blank ON schedules (empty_streak) WHERE removed_at IS NULL AND empty_streak > 0;
CREATE INDEX runs_waiting ON runs (id) WHERE state = 'waiting';
