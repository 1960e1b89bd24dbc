DROP TABLE refreshes;
DROP TABLE grants;
