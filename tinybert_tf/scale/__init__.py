"""Text at scale: work that is cut into units, which Apache Beam hands out to any number of workers.

A unit of work writes one file or folder, whole or not at all. So a killed run resumes with the units that are missing,
and nothing depends on which worker did what. All workers must see the files under the same paths.
"""
