DROP TABLE audit_cut;
