-- Evaluations by driver and road, each a row of the report as JSON: its fields are the report's. Rows of the kind before hold
-- too little to be one; whoever drives evaluates again.
DROP TABLE evaluations;
CREATE TABLE evaluation_rows (
  policy TEXT NOT NULL,
  role TEXT NOT NULL,
  road TEXT NOT NULL,
  figures TEXT NOT NULL,
  PRIMARY KEY (policy, role, road)
);
