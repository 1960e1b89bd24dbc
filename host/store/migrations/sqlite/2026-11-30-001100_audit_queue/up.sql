-- Nothing: one writer appends to the audit log here, so that no entry waits in a queue.
SELECT 1;
