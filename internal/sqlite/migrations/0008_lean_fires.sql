-- +goose Up
-- A fire changes its run twice. The indexes of open runs say what is open by
-- the outcome, which is set once, and not by the state: so a start leaves them
-- alone. Queries have to use the same words.
DROP INDEX runs_open;
DROP INDEX runs_open_agent;
DROP INDEX runs_open_schedule;
CREATE INDEX runs_open ON runs (due_at, id) WHERE outcome IS NULL;
CREATE INDEX runs_open_agent ON runs (agent_id) WHERE outcome IS NULL;
CREATE INDEX runs_open_schedule ON runs (schedule_id) WHERE outcome IS NULL;

-- No slot is late before it is due: late ones are found by due_at.
DROP INDEX schedules_alert;

-- The row of a run tells all of its only attempt.
DELETE FROM run_attempts WHERE number = 1 AND run_id NOT IN (SELECT run_id FROM run_attempts WHERE number > 1);
