"""The corrected central and satellite HOD, from a calibration table."""
