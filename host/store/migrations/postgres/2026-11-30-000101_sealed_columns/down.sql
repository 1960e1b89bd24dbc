DROP TABLE sealed_columns;
